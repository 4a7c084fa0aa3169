"""The in-memory index against a plain reading of the formulas, through random writes and deletions."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm4tag.knowledge_store.embedded import index as index_module
from llm4tag.knowledge_store.embedded.index import CollectionIndex, IndexEntry
from llm4tag.knowledge_store.word_tokens import tokens
from llm4tag.models.embedder import Vector

WORDS = ["water", "fire", "c++", "node.js", "云计算", "the", "the the", "rare", "a b c d"]
K1, B = 1.2, 0.75

texts = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
# One write: an id with its two texts, or None to delete it.
writes = st.lists(
    st.tuples(st.integers(0, 40).map(str), st.one_of(st.none(), st.tuples(texts, texts))), min_size=1, max_size=8
)


def reference(documents: dict[str, tuple[str, str]], query: str, boosts: list[float | None]) -> dict[str, float]:
    """BM25 as in the server's source, one document at a time."""
    searched = [column for column, boost in enumerate(boosts) if boost is not None]
    counts = {key: [Counter(tokens(text)) for text in both] for key, both in documents.items()}
    scores: dict[str, float] = {}
    for term, repeats in Counter(tokens(query)).items():
        frequencies = [sum(bool(count[column][term]) for count in counts.values()) for column in searched]
        holding = [frequency for frequency in frequencies if frequency]
        if not holding:
            continue
        n = sum(holding) // len(holding)
        idf = math.log(1 + (len(documents) - n + 0.5) / (n + 0.5)) * repeats
        for column in searched:
            lengths = [sum(count[column].values()) for count in counts.values() if count[column]]
            for key, count in counts.items():
                if tf := count[column][term]:
                    norm = K1 * (1 - B + B * sum(count[column].values()) / (sum(lengths) / len(lengths)))
                    scores[key] = scores.get(key, 0.0) + (boosts[column] or 0.0) * idf * tf / (tf + norm)
    return scores


def vector_of(both: tuple[str, str]) -> bytes | None:
    if not both[1]:
        return None
    values = np.random.default_rng(sum(map(ord, both[1]))).standard_normal(4).astype("<f4")
    return values.tobytes()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(writes, min_size=1, max_size=12), texts, st.booleans(), st.booleans())
def test_scores_after_any_writes(
    monkeypatch: pytest.MonkeyPatch,
    batches: list[list[tuple[str, tuple[str, str] | None]]],
    query: str,
    small: bool,
    title: bool,
) -> None:
    if small:
        monkeypatch.setattr(index_module, "_LEAST_DEAD", 3)
        monkeypatch.setattr(index_module, "_LOAD_CHUNK", 5)
    centre = np.array([0.1, -0.2, 0.3, 0.0], dtype=np.float32)
    index = CollectionIndex(2)
    index.clear(centre)
    documents: dict[str, tuple[str, str]] = {}
    for batch in batches:
        last = dict(batch)
        for key, both in last.items():
            documents.pop(key, None)
            if both is not None:
                documents[key] = both
        gone = [key for key, both in last.items() if both is None]
        changed = [
            (key, [IndexEntry(key, key, both, vector_of(both))]) for key, both in last.items() if both is not None
        ]
        index.apply(gone, changed)
    snapshot = index.snapshot
    assert sorted(snapshot.ids[slot] for slot in np.flatnonzero(snapshot.corpus.alive).tolist()) == sorted(
        documents
    )
    boosts = [2.0 if title else None, 1.0]
    scores = snapshot.corpus.scores(query, boosts) * snapshot.corpus.alive
    found = {snapshot.ids[slot]: float(scores[slot]) for slot in np.flatnonzero(scores).tolist()}
    assert found == pytest.approx(reference(documents, query, boosts), abs=1e-5)
    _check_vectors(index, documents, centre)


def _check_vectors(index: CollectionIndex, documents: dict[str, tuple[str, str]], centre: Vector) -> None:
    snapshot = index.snapshot
    query = np.array([0.5, 0.5, -0.5, 0.5], dtype=np.float32)
    (cosines,) = snapshot.cosines([query])
    aimed = (query - centre) / np.linalg.norm(query - centre)
    for slot in np.flatnonzero(snapshot.corpus.alive).tolist():
        blob = vector_of(documents[snapshot.ids[slot]])
        assert bool(snapshot.embedded[slot]) == (blob is not None)
        if blob is not None:
            moved = np.frombuffer(blob, dtype="<f4") - centre
            assert cosines[slot] == pytest.approx(float(aimed @ moved / np.linalg.norm(moved)), abs=1e-5)


def test_a_snapshot_in_use_never_changes() -> None:
    index = CollectionIndex(1)
    index.apply([], [(f"{n}", [IndexEntry(f"{n}", f"{n}", (f"word{n} common",))]) for n in range(50)])
    before = index.snapshot
    scores = before.corpus.scores("common word7", [1.0])
    for n in range(3000):
        index.apply([f"{n}"], [(f"{n + 50}", [IndexEntry(f"{n + 50}", f"{n + 50}", ("common new",))])])
    assert before.corpus.documents == 50
    assert np.array_equal(before.corpus.scores("common word7", [1.0]), scores)
    assert index.snapshot.corpus.documents == 50
    assert len(index.snapshot.ids) < 1500
    assert len(index.snapshot.corpus.segments) < 8


def test_units_of_one_owner_go_together() -> None:
    index = CollectionIndex(1)
    index.apply([], [("t", [IndexEntry("t#0", "t", ("c++",)), IndexEntry("t#1", "t", ("cpp",))])])
    assert index.mask(["t", "absent"]).sum() == 2
    index.apply([], [("t", [IndexEntry("t#0", "t", ("cee",))])])
    assert index.snapshot.corpus.documents == 1
    assert not index.snapshot.corpus.scores("cpp", [1.0])[index.snapshot.corpus.alive].any()
    index.apply([], [("t", [])])
    assert index.snapshot.corpus.documents == 0


def test_an_empty_index_scores_nothing() -> None:
    snapshot = CollectionIndex(2).snapshot
    assert snapshot.corpus.scores("water", [1.0, 1.0]).shape == (0,)
    assert snapshot.cosines([np.ones(3, dtype=np.float32)]).shape == (1, 0)
