"""Where tags are lost, with and without an LLM."""

import pytest

from llm4tag.evaluation.losses import LossStage, MissedTag, losses, missed_of, wrong_of
from llm4tag.schema import CalibrationNote, Decision, LinearEvidence, Origin, Signals, TagDecision, TagResult

EVIDENCE = LinearEvidence(score=1, raw=0.7)
ACCEPT, REVIEW, REJECT = Decision.ACCEPT, Decision.REVIEW, Decision.REJECT
ASSIGNABLE = frozenset("abcdefghij")


def line(tag: str, decision: Decision = REJECT, **signals: float) -> TagDecision:
    return TagDecision(
        id=tag,
        name=tag,
        confidence=0.5,
        decision=decision,
        calibration=CalibrationNote(),
        signals=Signals.model_validate({"recall": 0.5, **signals}),
        evidence=(EVIDENCE,),
    )


def result(*tags: TagDecision, cut: str = "") -> TagResult:
    return TagResult(id="1", tags=tags, cut=tuple(cut), origin=Origin(vocabulary="v", embedding="e", model=None))


def by_tag(found: TagResult, gold: str) -> dict[str, MissedTag]:
    return {one.tag: one for one in missed_of(found, gold, ASSIGNABLE)}


def test_without_an_llm_the_result_is_what_was_generated() -> None:
    found = by_tag(result(line("a", ACCEPT), line("b", REVIEW), line("c"), cut="de"), "abcexz")
    assert {tag: one.stage for tag, one in found.items()} == {
        "b": LossStage.PRUNED,
        "c": LossStage.PRUNED,
        "e": LossStage.NOT_GENERATED,
        "x": LossStage.OUTSIDE,
        "z": LossStage.OUTSIDE,
    }
    assert (found["b"].why, found["c"].why) == ("put to review", "rejected")
    assert (found["e"].place, found["c"].place) == (5, 3)
    assert by_tag(result(line("a")), "j")["j"].stage is LossStage.NOT_RECALLED


@pytest.mark.parametrize(
    ("signals", "stage"),
    [
        ({}, LossStage.NOT_GENERATED),
        ({"agreement": 0.0}, LossStage.NOT_GENERATED),
        ({"agreement": 1 / 3}, LossStage.PRUNED),
        ({"agreement": 0.0, "p_yes": 0.5}, LossStage.PRUNED),
        ({"p_yes": 0.49}, LossStage.NOT_GENERATED),
        ({"rating": 0.6}, LossStage.PRUNED),
        # Asked, and neither yes nor no was seen.
        ({"yes_no_mass": 0.0}, LossStage.NOT_GENERATED),
    ],
)
def test_where_the_llm_spoke_a_tag_counts_as_generated_when_it_named_it(
    signals: dict[str, float], stage: LossStage
) -> None:
    found = by_tag(result(line("a", REJECT, agreement=1.0), line("b", REVIEW, **signals)), "b")
    assert found["b"].stage is stage
    assert found["b"].found is not None
    assert found["b"].found.evidence == (EVIDENCE,)


def test_counts_add_up_and_wrong_tags_keep_their_evidence() -> None:
    results = [result(line("a", ACCEPT), line("b", ACCEPT), line("c"), cut="d")]
    counted, missed, wrong = losses(results, {"1": frozenset("acdjz")}, ASSIGNABLE)
    assert (counted.gold, counted.accepted, counted.wrong) == (5, 1, 1)
    assert sum(counted.by_stage.values()) == counted.gold
    assert sum(counted.reasons.values()) == len(missed) == counted.gold - counted.accepted
    assert [(one.found.id, one.place, one.found.evidence) for one in wrong] == [("b", 2, (EVIDENCE,))]
    assert list(wrong_of(results[0], frozenset("ab"))) == []
