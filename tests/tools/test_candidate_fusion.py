"""Fusion: the evidence of all paths makes one list of candidates."""

from hypothesis import given
from hypothesis import strategies as st

from llm4tag.calibration.evidence_fusion import EvidenceFusion
from llm4tag.calibration.history_facts import HistoryFacts
from llm4tag.schema import C2C2TEvidence, C2TEvidence, Evidence, Path
from llm4tag.tools.candidate_fusion import best_by_words, by_probability, gathered, relative, strongest
from tests.fakes.priors import prior

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


def neighbours(raw: float) -> C2C2TEvidence:
    return C2C2TEvidence(score=raw, support=3, human_support=3, looked_at=5, raw=raw)


FOUND: dict[Path, dict[str, Evidence]] = {
    Path.C2T: {"b": C2TEvidence(score=0.5), "a": C2TEvidence(score=1.0)},
    Path.C2C2T: {"c": neighbours(0.2), "b": neighbours(1.0)},
    Path.LINEAR: {},
}
FACTS = HistoryFacts(contents=20, counts={"a": 2, "b": 2, "c": 2})


def test_a_tag_that_several_paths_found_is_one_candidate_with_all_their_evidence() -> None:
    candidates = gathered(FOUND)
    assert [one.tag for one in candidates] == ["a", "b", "c"]
    assert [one.path for one in candidates[1].evidence] == [Path.C2T, Path.C2C2T]
    assert {(one.score, one.recall) for one in candidates} == {(0.0, None)}, "none has a score yet"
    assert gathered({}) == gathered({Path.C2T: {}}) == []


def test_candidates_are_scored_by_their_probability_best_first() -> None:
    found = by_probability(gathered(FOUND), EvidenceFusion(prior(neighbours=5.0)), FACTS, 9)
    assert [one.tag for one in found] == ["b", "c", "a"]
    assert [one.score for one in found] == [one.recall for one in found]
    assert found[0].score > 0.5 > found[1].score > found[2].score
    by_words = by_probability(gathered(FOUND), EvidenceFusion(prior(own_words=5.0)), FACTS, 9)
    assert [one.tag for one in by_words] == ["a", "b", "c"]
    assert by_probability([], EvidenceFusion(prior()), FACTS, 9) == []


def test_equal_candidates_stay_in_their_order() -> None:
    candidates = gathered(FOUND)
    assert [one.tag for one in by_probability(candidates, EvidenceFusion(prior()), FACTS, 9)] == ["a", "b", "c"]
    assert [one.tag for one in by_probability(candidates[::-1], EvidenceFusion(prior()), FACTS, 9)] == [
        "c",
        "b",
        "a",
    ]


def test_tags_that_history_lacks_come_by_their_own_words() -> None:
    candidates = gathered(FOUND)
    assert best_by_words(candidates, {"c"}) == ["a", "b"]
    assert best_by_words(candidates, {"a", "c"}) == ["b"]
    assert best_by_words(candidates, {"a", "b"}) == [], "of c no words were found"
    assert best_by_words(candidates, set()) == [], "without history no tag is apart"


def test_strongest_breaks_ties_by_id() -> None:
    assert list(strongest({"b": 1.0, "a": 1.0, "c": 2.0}, 2)) == ["c", "a"]
