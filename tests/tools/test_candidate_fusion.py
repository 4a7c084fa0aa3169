"""Fusion of recall paths by relative scores."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm4tag.schema import C2C2TEvidence, C2TEvidence, Evidence, Path
from llm4tag.tools.candidate_fusion import fuse, relative, strongest
from llm4tag.tools.recall_plan import RecallPlan

SCORES = st.dictionaries(st.text(min_size=1, max_size=4), st.floats(-5, 5, allow_nan=False), max_size=20)


@given(SCORES)
def test_relative_scores_lie_between_0_and_1_and_keep_the_order(scores: dict[str, float]) -> None:
    scaled = relative(scores)
    assert scaled.keys() == scores.keys()
    assert all(0 <= score <= 1 for score in scaled.values())
    for a in scores:
        for b in scores:
            if scores[a] > scores[b]:
                assert scaled[a] >= scaled[b]


def test_equal_scores_are_all_one() -> None:
    assert relative({"a": 0.3, "b": 0.3}) == {"a": 1.0, "b": 1.0}
    assert relative({}) == {}


def neighbours(score: float, raw: float = 0.5) -> C2C2TEvidence:
    return C2C2TEvidence(score=score, support=3, human_support=3, looked_at=5, raw=raw)


def test_fused_score_is_the_weighted_mean_and_keeps_all_evidence() -> None:
    plan = RecallPlan(weight_c2t=1.0, weight_c2c2t=3.0)
    found: dict[Path, dict[str, Evidence]] = {
        Path.C2T: {"a": C2TEvidence(score=1.0), "b": C2TEvidence(score=0.5)},
        Path.C2C2T: {"b": neighbours(1.0), "c": neighbours(0.2)},
    }
    candidates = fuse(found, plan)
    assert [c.tag for c in candidates] == ["b", "a", "c"]
    assert [c.score for c in candidates] == pytest.approx([0.875, 0.25, 0.15])
    assert [e.path for e in candidates[0].evidence] == [Path.C2T, Path.C2C2T]


def test_a_path_that_found_nothing_takes_no_part() -> None:
    found: dict[Path, dict[str, Evidence]] = {Path.C2T: {"a": C2TEvidence(score=0.8)}, Path.C2C2T: {}}
    assert fuse(found, RecallPlan(weight_c2t=0.1))[0].score == pytest.approx(0.8)
    assert fuse({Path.C2T: {}}, RecallPlan()) == []


def test_a_path_of_weight_0_makes_candidates_without_a_score() -> None:
    found: dict[Path, dict[str, Evidence]] = {
        Path.C2T: {"a": C2TEvidence(score=0.8)},
        Path.C2C2T: {"a": neighbours(1.0, 0.0), "b": neighbours(1.0, 0.0)},
    }
    plan = RecallPlan(weight_c2c2t=0.0)
    assert [(c.tag, c.score) for c in fuse(found, plan)] == [("a", 0.8), ("b", 0.0)]
    del found[Path.C2T]
    assert [(c.tag, c.score) for c in fuse(found, plan)] == [("a", 0.0), ("b", 0.0)]


def test_strongest_breaks_ties_by_id() -> None:
    assert list(strongest({"b": 1.0, "a": 1.0, "c": 2.0}, 2)) == ["c", "a"]


def test_plans_follow_the_history() -> None:
    assert RecallPlan.first(0).recipe == "vocabulary"
    few, many = RecallPlan.first(100), RecallPlan.first(10_000)
    assert few.weight_c2t > many.weight_c2t, "the less history, the more the tags' own words count"
    wider = many.wider()
    assert wider.round == 2
    assert wider.neighbours > many.neighbours
    assert wider.weight_t2t > 0
    assert wider.content_alpha != many.content_alpha
