"""The fit of recall on a store's history."""

import numpy as np
import pytest

from llm4tag.calibration.evidence_fusion import EvidenceFusion
from llm4tag.calibration.log_odds import Floats
from llm4tag.calibration.recall_prior import GROUPS, RecallPrior
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.schema import Path
from llm4tag.tools import artifacts
from llm4tag.tools.agent_tools import recall_tools
from llm4tag.tools.artifacts import RecallFit, load_recall_fit
from llm4tag.tools.recall_plan import ALL_PATHS
from llm4tag.training import recall_fit
from llm4tag.training.evidence_pairs import EvidencePairs
from llm4tag.training.recall_fit import FitReport, fit_is_due, fit_recall, fit_recall_held_out
from tests.fakes.history import contents
from tests.fakes.priors import BY_HAND, COLUMNS, prior
from tests.fakes.progress import RecordedBars


def use(monkeypatch: pytest.MonkeyPatch, one: RecallPrior) -> None:
    """Have stores take a prior for the one that is shipped."""
    monkeypatch.setattr(artifacts, "shipped_prior", lambda *, vectors: one)


@pytest.fixture(autouse=True)
def simple_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all stores start from a prior that knows a little."""
    use(monkeypatch, prior(linear=1.0, neighbours=1.0, verbatim=1.0))


async def fit_of(store: KnowledgeStore) -> RecallFit:
    found = await load_recall_fit(store)
    assert found is not None
    return found


async def fusion_of(store: KnowledgeStore) -> EvidenceFusion:
    found = (await fit_of(store)).fusion
    assert found is not None
    return found


def weights(fusion: EvidenceFusion) -> Floats:
    assert fusion.moved is not None
    return fusion.moved


async def test_fits_both_and_keeps_them_with_what_they_rest_on(store: KnowledgeStore) -> None:
    bars = RecordedBars()
    report = await fit_recall(store, bars)
    assert bars.done == bars.total
    assert (report.tagged_contents, report.linear_documents, report.linear_tags) == (300, 300, 6)
    assert (report.fusion_documents, report.fewest_tags) == (300, 1)
    note = (await fusion_of(store)).note
    assert note is not None
    assert (note.prior, note.paths) == (BY_HAND, ALL_PATHS)
    assert (note.fitted.documents, note.fewest_tags) == (300, 1), "texts about nothing do not count"
    assert note.fitted.vocabulary == (await store.vocabulary()).version
    assert note.fitted.embedding == store.embedding
    assert note.tags_a_document == pytest.approx(2.03, abs=0.01)
    assert note.loss < note.prior_loss
    assert note.fitted.versions.keys() == {"numpy", "scipy", "scikit-learn"}


async def test_the_fusion_can_learn_from_richly_tagged_documents_alone(store: KnowledgeStore) -> None:
    report = await fit_recall(store, RecordedBars(), fewest_tags=3)
    assert 50 < report.fusion_documents < 150
    assert (report.linear_documents, report.fewest_tags) == (300, 3)
    note = (await fusion_of(store)).note
    assert note is not None
    assert (note.fitted.documents, note.fewest_tags) == (report.fusion_documents, 3)
    assert note.tags_a_document >= 3


async def test_the_linear_scorer_is_a_tool_for_any_agent(store: KnowledgeStore) -> None:
    await fit_recall(store, RecordedBars())
    tools = {tool.name: tool for tool in recall_tools(store)}
    found = await tools["classify_content"].ainvoke({"text": "rook bishop checkmate", "limit": 2})
    assert next(one["id"] for one in found) == "chess"
    assert found[0]["evidence"]["path"] == "linear"


async def test_the_same_history_and_seed_give_the_same_fit(store: KnowledgeStore) -> None:
    await fit_recall(store, RecordedBars())
    one, moved = await fit_of(store), weights(await fusion_of(store))
    await fit_recall(store, RecordedBars())
    assert weights(await fusion_of(store)) == pytest.approx(moved)
    assert (await fit_of(store)).id != one.id


async def test_documents_are_recalled_as_if_they_were_new_and_their_tags_are_found(store: KnowledgeStore) -> None:
    report, held_out = await fit_recall_held_out(store, RecordedBars())
    assert len(held_out.candidates) == report.fusion_documents
    assert held_out.candidates.keys() == held_out.gold.keys()
    given = {content.id: {one.tag for one in content.assignments} for content in contents(300)}
    assert {id_: set(tags) for id_, tags in held_out.gold.items()} == {id_: given[id_] for id_ in held_out.gold}
    first = 0
    for id_, candidates in held_out.candidates.items():
        scores = [one.score for one in candidates]
        assert scores == sorted(scores, reverse=True)
        assert scores == [one.recall for one in candidates]
        first += candidates[0].tag in held_out.gold[id_]
    assert first > 0.9 * len(held_out.gold)


async def test_too_little_history_fits_nothing_and_drops_an_old_fit(store: KnowledgeStore) -> None:
    assert await fit_is_due(store)
    await fit_recall(store, RecordedBars())
    assert not await fit_is_due(store)
    await store.upsert_contents(contents(60, seed=3))
    assert await fit_is_due(store), "a fifth more history"
    await store.delete_contents([content.id for content in (*contents(300)[1:], *contents(60, seed=3))])
    assert not await fit_is_due(store)
    assert await fit_recall(store, RecordedBars()) == FitReport(tagged_contents=1)
    assert await load_recall_fit(store) is None


@pytest.mark.parametrize("left", [2, 3, 12])
async def test_a_little_history_is_fitted_on_as_well(store: KnowledgeStore, left: int) -> None:
    await store.delete_contents([content.id for content in contents(300)[left:]])
    assert await fit_is_due(store)
    report = await fit_recall(store, RecordedBars())
    assert (report.tagged_contents, report.linear_documents) == (left, left)
    fusion = (await fit_of(store)).fusion
    assert report.fusion_documents == (
        0 if fusion is None or fusion.note is None else fusion.note.fitted.documents
    )
    assert fusion is None or np.abs(weights(fusion)[:, :-1]).max() < 0.3, "so few say little"


async def test_documents_that_are_not_tagged_richly_enough_move_nothing(store: KnowledgeStore) -> None:
    report = await fit_recall(store, RecordedBars(), fewest_tags=9)
    assert (report.linear_documents, report.fusion_documents) == (300, 0)
    assert (await fit_of(store)).fusion is None


async def test_contents_of_which_nothing_is_found_move_nothing(store: KnowledgeStore) -> None:
    # Each of the two is the other's near-duplicate, which has no part in what is found for it.
    made = contents(300)
    await store.delete_contents([one.id for one in (*made[:18], *made[20:])])
    report = await fit_recall(store, RecordedBars(), paths=frozenset({Path.C2C2T}))
    assert (report.linear_documents, report.fusion_documents) == (2, 0)
    assert (await fit_of(store)).fusion is None


@pytest.mark.parametrize("better", [True, False])
async def test_a_fit_is_taken_only_where_it_is_better_than_the_prior_on_documents_held_out(
    store: KnowledgeStore, monkeypatch: pytest.MonkeyPatch, better: bool
) -> None:
    def logits(pairs: EvidencePairs, *_: object) -> tuple[Floats, Floats]:
        sure, unsure = np.where(pairs.right, 5.0, -5.0), np.zeros(len(pairs.right))
        return (sure, unsure) if better else (unsure, unsure)

    monkeypatch.setattr(recall_fit, "held_out_logits", logits)
    report = await fit_recall(store, RecordedBars())
    assert ((await fit_of(store)).fusion is not None) == better
    assert (report.fusion_documents > 0) == better
    assert (await fit_of(store)).linear.tags, "the linear scorer is fitted in any case"


async def test_a_path_can_be_left_out(store: KnowledgeStore) -> None:
    await fit_recall(store, RecordedBars(), paths=ALL_PATHS - {Path.LINEAR})
    fusion = await fusion_of(store)
    assert fusion.note is not None
    assert fusion.note.paths == ALL_PATHS - {Path.LINEAR}
    assert weights(fusion).shape == (GROUPS, COLUMNS + 1)
    assert not weights(fusion)[2].any(), "no tag is scored, so none says how scored tags are to be weighed"
    assert weights(fusion)[1].any()


async def test_a_fit_of_another_embedding_is_not_used(store: KnowledgeStore) -> None:
    await fit_recall(store, RecordedBars())
    await store.reembed("fake-16")
    assert await load_recall_fit(store) is None
