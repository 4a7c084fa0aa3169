"""Fusion against a plain reading of Weaviate's source."""

import functools
import itertools
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm4tag.knowledge_store.hybrid_fusion import LegHit, fuse, object_uuid

Leg = list[tuple[str, float]]

legs = st.dictionaries(
    st.sampled_from([f"id{n}" for n in range(12)]),
    st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(-1, 30, width=32)),
    max_size=10,
).map(lambda scores: sorted(scores.items(), key=lambda item: (-item[1], item[0])))


def reference(keyword: Leg, vector: Leg, alpha: float, fusion: str) -> list[tuple[str, float]]:
    """What hybrid_fusion.go does, result sets in the order vector, keyword."""
    results: dict[str, tuple[float, float]] = {}
    for leg, weight in ((vector, alpha), (keyword, 1 - alpha)):
        if not leg:
            continue
        highest, lowest = max(score for _, score in leg), min(score for _, score in leg)
        for rank, (hit, raw) in enumerate(leg):
            if fusion == "ranked":
                score = weight / (rank + 60)
            else:
                score = weight * ((raw - lowest) / (highest - lowest) if highest != lowest else 1.0)
            results[hit] = (score + results.get(hit, (0.0, 0.0))[0], raw)

    def compare(a: str, b: str) -> int:
        for index in (0, 1):
            difference = results[b][index] - results[a][index]
            if difference * difference >= 1e-14:
                return 1 if difference > 0 else -1
        return -1 if object_uuid("contents", a) < object_uuid("contents", b) else 1

    return [(hit, results[hit][0]) for hit in sorted(results, key=functools.cmp_to_key(compare))]


@given(legs, legs, st.sampled_from([0.25, 0.5, 0.8]), st.sampled_from(["relative", "ranked"]))
def test_both_fusions(keyword: Leg, vector: Leg, alpha: float, fusion: str) -> None:
    fused = fuse(
        [LegHit(*hit) for hit in keyword],
        [LegHit(*hit) for hit in vector],
        alpha=alpha,
        fusion="ranked" if fusion == "ranked" else "relative",
        uuid_of=functools.partial(object_uuid, "contents"),
    )
    expected = reference(keyword, vector, alpha, fusion)
    assert [hit.score for hit in fused] == pytest.approx([score for _, score in expected], abs=1e-6)
    # Near ties are not an order in the source either: compare where scores tell hits apart.
    scores = dict(expected)
    for before, after in itertools.pairwise(fused):
        assert scores[before.id] >= scores[after.id] - 1e-6
    for hit in fused:
        assert hit.keyword_score == dict(keyword).get(hit.id)
        assert hit.vector_score == dict(vector).get(hit.id)
        assert hit.score == hit.keyword_part + hit.vector_part


def test_a_leg_that_was_not_run_leaves_the_other_all_the_weight() -> None:
    leg = [LegHit("a", 3.0), LegHit("b", 2.0), LegHit("c", 1.0)]
    for keyword, vector in ((leg, None), (None, leg)):
        fused = fuse(keyword, vector, alpha=0.3, fusion="relative", uuid_of=str)
        assert [(hit.id, hit.score) for hit in fused] == [("a", 1.0), ("b", 0.5), ("c", 0.0)]
    empty = fuse([], leg, alpha=0.3, fusion="relative", uuid_of=str)
    assert [hit.score for hit in empty] == pytest.approx([0.3, 0.15, 0.0])
    assert fuse(None, None, alpha=0.5, fusion="ranked", uuid_of=str) == []


def test_equal_scores_give_the_whole_weight() -> None:
    fused = fuse([LegHit("a", 2.0), LegHit("b", 2.0)], [], alpha=0.25, fusion="relative", uuid_of=str)
    assert [hit.score for hit in fused] == [0.75, 0.75]


def test_ties_go_to_the_keyword_score_then_to_the_uuid() -> None:
    uuids = {"a": "3", "b": "2", "c": "1", "d": "0"}
    keyword = [LegHit("a", 2.0), LegHit("b", 1.0)]
    vector = [LegHit("c", 0.9), LegHit("d", 0.9 - 1e-9), LegHit("b", 0.1)]
    fused = fuse(keyword, vector, alpha=0.5, fusion="relative", uuid_of=uuids.__getitem__)
    assert [hit.id for hit in fused] == ["a", "d", "c", "b"]


def test_uuids_are_the_same_everywhere() -> None:
    assert object_uuid("contents", "1") == "321262b7-96df-577d-aa3b-bcacec31a0d6"
    assert object_uuid("tags", "1") != object_uuid("contents", "1")
    assert str(uuid.UUID(object_uuid("tags", "任意"))) == object_uuid("tags", "任意")
