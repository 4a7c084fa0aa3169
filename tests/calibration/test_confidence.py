"""The confidence by fixed weights, without a calibrator."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm4tag.calibration.confidence import WITH_HISTORY, WITHOUT_HISTORY, combine, recall_probabilities
from llm4tag.calibration.signals import gather
from llm4tag.schema import C2C2TEvidence, C2TEvidence, Candidate, Path
from llm4tag.schema.llm_answers import Judgement

WEIGHTS = {Path.C2T: 0.25, Path.C2C2T: 1.0, Path.T2T: 0.0}


def candidate(tag: str, raw: float | None, words: float | None = None) -> Candidate:
    evidence: list[C2TEvidence | C2C2TEvidence] = []
    if words is not None:
        evidence.append(C2TEvidence(score=words))
    if raw is not None:
        evidence.append(C2C2TEvidence(score=raw, support=1, human_support=1, looked_at=9, raw=raw))
    return Candidate(tag=tag, score=0.5, evidence=tuple(evidence))


CANDIDATES = [candidate("a", 0.8, 0.1), candidate("b", 0.4, 1.0), candidate("c", None, 0.9)]


def test_neighbours_lead_where_there_is_history() -> None:
    found = recall_probabilities(CANDIDATES, WEIGHTS, 0.5)
    assert found["a"] == pytest.approx((0.8 + 0.25 * 0.8 * 0.1) / 1.25)
    assert found["a"] > found["b"] > found["c"]


def test_without_neighbours_words_count_up_to_the_scale() -> None:
    found = recall_probabilities([candidate("a", None, 1.0), candidate("b", None, 0.2)], WEIGHTS, 0.5)
    assert found == {"a": pytest.approx(0.5), "b": pytest.approx(0.1)}


def test_tags_that_only_a_model_gave_do_not_raise_confidence() -> None:
    plain = [candidate("a", 0.6, 0.5), candidate("b", None, 0.5)]
    echoed = [plain[0], candidate("b", 0.0, 0.5)]
    assert recall_probabilities(echoed, WEIGHTS, 0.5)["b"] <= recall_probabilities(plain, WEIGHTS, 0.5)["b"]


@given(st.floats(0.001, 0.999))
def test_a_judge_that_says_the_same_of_all_leaves_recalls_order(p_yes: float) -> None:
    recall = recall_probabilities(CANDIDATES, WEIGHTS, 0.5)
    said = {c.tag: Judgement(p_yes=p_yes, mass=1.0) for c in CANDIDATES}
    for weights in (WITH_HISTORY, WITHOUT_HISTORY):
        scored = combine(CANDIDATES, gather(recall, {}, said), weights)
        assert [item.tag for item in scored] == ["a", "b", "c"]
        assert {item.tag: item.confidence for item in scored} == pytest.approx(recall, abs=1e-3)


def test_the_llm_leads_where_there_is_no_history() -> None:
    pair = [candidate("a", None, 0.6), candidate("b", None, 0.4)]
    recall = recall_probabilities(pair, WEIGHTS, 0.5)
    said = {"a": Judgement(p_yes=0.05, mass=1.0), "b": Judgement(p_yes=0.95, mass=1.0)}
    assert [item.tag for item in combine(pair, gather(recall, {}, said), WITHOUT_HISTORY)] == ["b", "a"]


def test_a_probability_in_words_replaces_a_missing_judgement_alone() -> None:
    recall = {"a": 0.5, "b": 0.5, "c": 0.5}
    judged = {"a": Judgement(p_yes=0.9, mass=1.0), "b": Judgement(p_yes=0.2, mass=1.0)}
    said = {"a": 0.9, "b": 0.2, "c": None}
    by_judge = combine(CANDIDATES, gather(recall, {}, judged), WITHOUT_HISTORY)
    by_words = combine(CANDIDATES, gather(recall, {}, {}, said), WITHOUT_HISTORY)
    both = combine(CANDIDATES, gather(recall, {}, judged, {"a": 0.2, "b": 0.9}), WITHOUT_HISTORY)
    assert [(one.tag, one.raw) for one in by_judge] == [(one.tag, one.raw) for one in by_words]
    assert [one.raw for one in both] == [one.raw for one in by_judge]
    assert by_words[1].tag == "c"
    assert by_words[1].confidence == pytest.approx(0.5), "a missing one moves nothing"


def test_a_tuned_judge_speaks_for_itself_and_half() -> None:
    recall = {"a": 0.2, "b": 0.6, "c": 0.3}
    said = {"a": Judgement(p_yes=0.8, mass=1.0), "b": Judgement(p_yes=0.6, mass=1.0)}
    scored = combine(CANDIDATES, gather(recall, {}, said), WITH_HISTORY, tuned=True)
    # Uncentred: a judge that affirms both raises one and leaves the other; c was not judged.
    assert {item.tag: item.confidence for item in scored} == pytest.approx({"a": 0.5, "b": 0.6, "c": 0.3})


def test_of_a_tag_that_the_fit_has_not_seen_a_tuned_judge_has_nearly_all_to_say() -> None:
    recall = {"a": 0.01, "b": 0.01, "c": 0.01}
    said = {tag: Judgement(p_yes=0.8, mass=1.0) for tag in "ab"}
    scored = combine(CANDIDATES, gather(recall, {}, said), WITH_HISTORY, tuned=True, unseen={"a", "c"})
    found = {item.tag: item.confidence for item in scored}
    logit = 0.9 * math.log(0.8 / 0.2) + 0.1 * math.log(0.01 / 0.99)
    assert found["a"] == pytest.approx(1 / (1 + math.exp(-logit)))
    assert found["a"] > 0.6 > 0.2 > found["b"] > found["c"] == pytest.approx(0.01)
