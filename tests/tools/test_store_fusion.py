"""Which fusion of evidence a store has: the prior, or the prior moved by its history."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path as FilePath

import pytest

from llm4tag.calibration.evidence_fusion import EvidenceFusion
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import Path
from llm4tag.tools import artifacts
from llm4tag.tools.artifacts import RecallFit, StoreReader, save_recall_fit
from llm4tag.tools.recall_plan import ALL_PATHS
from tests.fakes.linear import linear
from tests.fakes.priors import BY_HAND, moved, prior


def fusion_on(paths: frozenset[Path]) -> EvidenceFusion:
    """Return a prior that was moved by the evidence of some paths."""
    made = moved(prior())
    assert made.note is not None
    return EvidenceFusion(made.prior, made.note.model_copy(update={"paths": paths}), made.moved)


@pytest.fixture
async def store(tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KnowledgeStore]:
    """Return an empty store whose prior was made by hand."""
    monkeypatch.setattr(artifacts, "shipped_prior", lambda *, vectors: prior())
    async with await open_store(str(tmp_path / "s.llm4tag"), embedding="none", create=True) as opened:
        yield opened


async def test_without_a_fit_it_is_the_prior(store: KnowledgeStore) -> None:
    found = await StoreReader(store).fusion(ALL_PATHS)
    assert (found.prior.id, found.note, found.moved) == (BY_HAND, None, None)
    await save_recall_fit(store, linear(), None)
    assert (await StoreReader(store).fusion(ALL_PATHS)).note is None, "there is a fit, but the prior was better"


async def test_a_moved_prior_is_used_as_soon_as_it_is_saved_and_no_longer_when_it_is_removed(
    store: KnowledgeStore,
) -> None:
    reader, fusion = StoreReader(store), fusion_on(ALL_PATHS)
    assert (await reader.fusion(ALL_PATHS)).note is None
    await save_recall_fit(store, linear(), fusion)
    assert (await reader.fusion(ALL_PATHS)).note == fusion.note
    await save_recall_fit(store, None, None)
    assert (await reader.fusion(ALL_PATHS)).note is None


@pytest.mark.parametrize("path", list(Path))
async def test_a_path_switched_off_takes_what_it_moved_along(store: KnowledgeStore, path: Path) -> None:
    await save_recall_fit(store, linear(), fusion_on(ALL_PATHS))
    found = await StoreReader(store).fusion(ALL_PATHS - {path})
    assert (found.note is None) == (path is not Path.T2T), "that path gives no evidence that is weighed"


async def test_what_was_fitted_without_a_path_serves_with_it_and_without(store: KnowledgeStore) -> None:
    without = ALL_PATHS - {Path.C2T}
    await save_recall_fit(store, linear(), fusion_on(without))
    for paths in (without, ALL_PATHS):
        assert (await StoreReader(store).fusion(paths)).note is not None


async def test_what_moved_another_prior_is_not_used_and_a_warning_says_so(
    store: KnowledgeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await save_recall_fit(store, linear(), fusion_on(ALL_PATHS))
    monkeypatch.setattr(artifacts, "shipped_prior", lambda *, vectors: replace(prior(), id="newer"))
    reader = StoreReader(store)
    assert (await reader.fusion(ALL_PATHS)).note is None
    fit = await reader.recall_fit()
    assert fit is not None
    assert fit.warning(1000) == "recall was fitted by another version of llm4tag: it should be fitted again"


def test_a_fit_gets_stale_when_history_grows_or_shrinks() -> None:
    fitted = RecallFit("now", linear(), None)
    assert fitted.warning(1000) == fitted.warning(1099) == ""
    assert "fitted on 1,000 tagged contents, and there are 1,200 now" in fitted.warning(1200)
    assert fitted.warning(500)
