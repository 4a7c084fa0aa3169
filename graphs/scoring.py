"""From a state's signals to confidences and decisions: plain functions, with no question asked."""

from collections.abc import Mapping

from llm4tag.calibration.confidence import Scored, calibrate_all, combine
from llm4tag.calibration.signals import gather
from llm4tag.graphs.asking import spared
from llm4tag.graphs.context import TagOptions
from llm4tag.graphs.recall_signal import recall_of, weights_of
from llm4tag.graphs.standing import Standing
from llm4tag.graphs.state import TaggingState, Verdict
from llm4tag.schema import CalibrationNote, Decision, TagDecision, Vocabulary

_TOO_DEEP = CalibrationNote(reason="it lies below the candidates that the calibrator was fitted on")


def weigh(
    state: TaggingState,
    options: TagOptions,
    standing: Standing,
    shares: Mapping[str, tuple[float, int]],
    *,
    tuned: bool,
) -> tuple[list[Scored], Verdict]:
    """Return the candidates of a content, best first, and what follows for the decisions on them.

    Args:
        state: with candidates, and what the LLM said of them beside its samples.
        options: of the run.
        standing: of its confidences.
        shares: the agreement of the samples.
        tuned: whether the judge is a fine-tuned one.
    """
    plan, candidates = state["plan"], state["candidates"]
    recall = recall_of(plan, candidates)
    signals = gather(recall, shares, state.get("judgements", {}), state.get("ratings", {}))
    unseen = frozenset(state.get("unseen", ()))
    scored = combine(candidates, signals, weights_of(plan), tuned=tuned, unseen=unseen)
    here = standing.on(scored, bool(state.get("llm_failure")), spared(state, options))
    if here.calibrator is not None:
        scored = calibrate_all(scored, here.calibrator)
    return scored, here.verdict(options.target_error)


def decisions_for(
    scored: list[Scored], vocabulary: Vocabulary, options: TagOptions, verdict: Verdict
) -> list[TagDecision]:
    """Return the decision on each candidate; a tag that has left the vocabulary meanwhile is never output."""
    return [
        TagDecision(
            id=item.tag,
            name=vocabulary[item.tag].name,
            confidence=item.confidence,
            decision=decision_on(item, options, verdict),
            calibration=note_on(item, verdict),
            signals=item.signals,
            evidence=item.evidence,
        )
        for item in scored
        if item.tag in vocabulary.assignable
    ][: options.top]


def note_on(item: Scored, verdict: Verdict) -> CalibrationNote:
    """Return whether the confidence of one candidate is a measured probability."""
    return verdict.note if item.calibrated or verdict.note.status == "uncalibrated" else _TOO_DEEP


def cut_of(scored: list[Scored], vocabulary: Vocabulary, options: TagOptions) -> tuple[str, ...]:
    """Return the candidates that ``decisions_for`` leaves out of the result, best first."""
    return tuple(item.tag for item in scored if item.tag in vocabulary.assignable)[options.top :]


def decision_on(item: Scored, options: TagOptions, verdict: Verdict) -> Decision:
    """Return what a confidence means: by the target of error where one is set, else by the thresholds."""
    if options.target_error is None:
        accepted = item.confidence >= options.accept_at
    else:
        accepted = item.calibrated and verdict.accept_at is not None and item.confidence >= verdict.accept_at
    if accepted:
        return Decision.ACCEPT
    return Decision.REVIEW if item.confidence >= options.reviewed_from else Decision.REJECT
