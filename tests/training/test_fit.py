"""The fit of recall on a store's history."""

import numpy as np
import pytest

from llm4tag.calibration.columns import FUSION_COLUMNS
from llm4tag.calibration.evidence_fusion import EvidenceFusion
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.schema import Path, StoreError
from llm4tag.tools.agent_tools import recall_tools
from llm4tag.tools.artifacts import load_recall_fit
from llm4tag.tools.recall_plan import ALL_PATHS
from llm4tag.training.fusion_fit import fit_weights
from llm4tag.training.held_out_evidence import EvidencePairs
from llm4tag.training.recall_fit import FitReport, fit_is_due, fit_recall
from tests.fakes.history import contents
from tests.fakes.progress import RecordedBars


async def test_fits_both_and_keeps_them_with_what_they_rest_on(store: KnowledgeStore) -> None:
    bars = RecordedBars()
    report = await fit_recall(store, bars)
    assert bars.done == bars.total
    assert (report.tagged_contents, report.linear_documents, report.linear_tags) == (300, 300, 6)
    assert 50 <= report.fusion_documents < 300
    assert report.fewest_tags == 3, "documents have 2.03 tags on average"
    fitted = await load_recall_fit(store)
    assert fitted is not None
    assert fitted.fusion is not None
    note = fitted.fusion.note
    assert (note.fitted.documents, note.fewest_tags, note.paths) == (report.fusion_documents, 3, ALL_PATHS)
    assert note.fitted.vocabulary == (await store.vocabulary()).version
    assert note.fitted.embedding == store.embedding
    assert note.tags_a_document >= 3
    assert note.fitted.versions.keys() == {"numpy", "scipy", "scikit-learn"}


async def test_the_linear_scorer_is_a_tool_for_any_agent(store: KnowledgeStore) -> None:
    await fit_recall(store, RecordedBars())
    tools = {tool.name: tool for tool in recall_tools(store)}
    found = await tools["classify_content"].ainvoke({"text": "rook bishop checkmate", "limit": 2})
    assert next(one["id"] for one in found) == "chess"
    assert found[0]["evidence"]["path"] == "linear"


async def test_the_same_history_and_seed_give_the_same_fit(store: KnowledgeStore) -> None:
    await fit_recall(store, RecordedBars())
    one = await load_recall_fit(store)
    await fit_recall(store, RecordedBars())
    other = await load_recall_fit(store)
    assert one is not None
    assert other is not None
    assert one.fusion is not None
    assert other.fusion is not None
    assert one.fusion.weights.seen == pytest.approx(other.fusion.weights.seen)
    assert one.id != other.id


async def test_too_little_history_fits_nothing_and_drops_an_old_fit(store: KnowledgeStore) -> None:
    assert await fit_is_due(store)
    await fit_recall(store, RecordedBars())
    assert not await fit_is_due(store)
    await store.upsert_contents(contents(60, seed=3))
    assert await fit_is_due(store), "a fifth more history"
    await store.delete_contents([content.id for content in (*contents(300)[150:], *contents(60, seed=3))])
    assert not await fit_is_due(store)
    assert await fit_recall(store, RecordedBars()) == FitReport(tagged_contents=150)
    assert await load_recall_fit(store) is None


async def test_few_richly_tagged_documents_give_no_fusion(store: KnowledgeStore) -> None:
    report = await fit_recall(store, RecordedBars(), fewest_tags=4)
    assert report.linear_documents == 300
    assert report.fusion_documents == 0
    fitted = await load_recall_fit(store)
    assert fitted is not None
    assert fitted.fusion is None


async def test_a_path_can_be_left_out(store: KnowledgeStore) -> None:
    await fit_recall(store, RecordedBars(), paths=ALL_PATHS - {Path.LINEAR})
    fitted = await load_recall_fit(store)
    assert fitted is not None
    assert fitted.fusion is not None
    linear = [place for place, name in enumerate(FUSION_COLUMNS) if name.startswith("linear")]
    assert (fitted.fusion.weights.unseen[linear] == 0).all()


async def test_a_fit_of_another_embedding_is_not_used(store: KnowledgeStore) -> None:
    await fit_recall(store, RecordedBars())
    await store.reembed("fake-16")
    assert await load_recall_fit(store) is None


def test_weights_tell_right_from_wrong_and_apart_for_new_tags() -> None:
    random = np.random.default_rng(0)
    rows = random.random((2000, len(FUSION_COLUMNS)))
    known = np.arange(2000) < 1000
    right = np.where(known, rows[:, 0] > 0.7, rows[:, 1] > 0.7)
    weights = fit_weights(EvidencePairs(rows, known, right))
    probabilities = weights.probabilities(rows, known)
    assert probabilities[right].min() > np.median(probabilities[~right])
    assert probabilities.mean() == pytest.approx(right.mean(), abs=0.01)
    assert weights.seen[0] > 10 * abs(weights.seen[1])
    assert weights.unseen[1] > 10 * abs(weights.unseen[0])


@pytest.mark.parametrize("answer", [True, False])
def test_nothing_to_tell_apart_gives_a_flat_probability(answer: bool) -> None:
    rows, all_known = np.random.default_rng(0).random((20, len(FUSION_COLUMNS))), np.ones(20, dtype=bool)
    weights = fit_weights(EvidencePairs(rows, all_known, np.full(20, answer)))
    probabilities = weights.probabilities(rows, all_known)
    assert probabilities.min() == probabilities.max()
    assert 0 < probabilities[0] < 1
    assert (probabilities[0] > 0.9) == answer


def test_bytes_of_another_version_are_reported() -> None:
    with pytest.raises(StoreError, match="fit recall on the store's history"):
        EvidenceFusion.from_bytes(b"nothing")
