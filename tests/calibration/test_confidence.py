"""The confidence by fixed weights, without a calibrator."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm4tag.calibration.confidence import WITH_HISTORY, WITHOUT_HISTORY, combine, weights_for
from llm4tag.calibration.signals import gather
from llm4tag.schema import Candidate
from llm4tag.schema.llm_answers import Judgement

CANDIDATES = [Candidate(tag=tag, score=0.5, evidence=()) for tag in "abc"]
RECALL = {"a": 0.7, "b": 0.4, "c": 0.1}


def test_the_more_history_the_less_the_llm_moves() -> None:
    assert weights_for(0) == WITHOUT_HISTORY
    half = weights_for(50)
    assert half.judgement == pytest.approx((WITHOUT_HISTORY.judgement + WITH_HISTORY.judgement) / 2)
    assert half.agreement == pytest.approx((WITHOUT_HISTORY.agreement + WITH_HISTORY.agreement) / 2)
    much = weights_for(1_000_000)
    assert (much.judgement, much.agreement) == pytest.approx(
        (WITH_HISTORY.judgement, WITH_HISTORY.agreement), abs=1e-3
    )


@given(st.integers(0, 100_000))
def test_one_more_content_makes_no_step(contents: int) -> None:
    now, then = weights_for(contents), weights_for(contents + 1)
    assert 0 <= now.judgement - then.judgement < 0.02
    assert 0 <= now.agreement - then.agreement < 0.02


@given(st.floats(0.001, 0.999))
def test_a_judge_that_says_the_same_of_all_leaves_recalls_order(p_yes: float) -> None:
    said = {c.tag: Judgement(p_yes=p_yes, mass=1.0) for c in CANDIDATES}
    for weights in (WITH_HISTORY, WITHOUT_HISTORY):
        scored = combine(CANDIDATES, gather(RECALL, {}, said), weights)
        assert [item.tag for item in scored] == ["a", "b", "c"]
        assert {item.tag: item.confidence for item in scored} == pytest.approx(RECALL, abs=1e-3)


def test_the_llm_leads_where_there_is_no_history() -> None:
    pair, recall = CANDIDATES[:2], {"a": 0.3, "b": 0.2}
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
