"""From signals to confidences and decisions: which calibrator holds, and what is accepted."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llm4tag.calibration.calibrator import Calibrator
from llm4tag.calibration.confidence import ScoredCandidate, calibrate_all, combine, missing_signal, weights_for
from llm4tag.calibration.passport import Conditions
from llm4tag.calibration.signals import gather, recall_of
from llm4tag.graphs.open_questions import cascade_skipped
from llm4tag.graphs.parents import consistent
from llm4tag.graphs.plan import TaggingPlan
from llm4tag.graphs.runtime import TaggingRuntime
from llm4tag.graphs.state import TaggingState, Verdict
from llm4tag.schema import CalibrationNote, Decision, Signals, TagDecision, Vocabulary
from llm4tag.schema.profile import StepChoices

_TOO_DEEP = CalibrationNote(reason="it lies below the candidates that the calibrator was fitted on")


@dataclass(frozen=True)
class CalibratorChoice:
    """The calibrator that holds for some results, or why none does."""

    calibrator: Calibrator | None
    reason: str = ""
    """Why no calibrator holds; empty where one does."""

    def for_content(
        self, scored: Sequence[ScoredCandidate], *, llm_failed: bool, cascade_skipped: bool = False
    ) -> "CalibratorChoice":
        """Return the choice for one content, where a signal that the calibrator weighs may be missing.

        Args:
            scored: the content's candidates.
            llm_failed: whether the LLM could not be asked.
            cascade_skipped: whether the cascade had nothing to ask; the contents of the fit had such gaps as well.
        """
        if self.calibrator is None:
            return self
        if llm_failed:
            return CalibratorChoice(None, "the LLM failed, so signals that the calibrator weighs are missing")
        if cascade_skipped:
            return self
        missing = missing_signal(scored, self.calibrator)
        if missing:
            return CalibratorChoice(None, f"the calibrator weighs {missing}, which is missing here")
        return self

    @property
    def note(self) -> CalibrationNote:
        """The note on a tag's confidence."""
        if self.calibrator is None:
            return CalibrationNote(reason=self.reason)
        return CalibrationNote(status="calibrated", calibrator=self.calibrator.passport.id)

    def verdict(self, target: float | None) -> Verdict:
        """Return from which confidence the tags of a content are accepted.

        Args:
            target: the most wrong tags among the accepted ones, as a share; None: thresholds of confidence decide.
        """
        if target is None:
            return Verdict(note=self.note)
        threshold = self.calibrator.threshold(target) if self.calibrator else None
        return Verdict(
            note=self.note,
            accept_at=None if threshold is None else threshold.confidence,
            refusal=self.refusal(target),
        )

    def refusal(self, target: float) -> str:
        """Return why nothing can be accepted at a share of wrong tags; empty where something can."""
        if self.calibrator is None:
            return f"nothing is accepted: an error of at most {target:g} needs a calibrator, but {self.reason}"
        if self.calibrator.threshold(target) is not None:
            return ""
        smallest = self.calibrator.smallest_target()
        supported = "they support none up to .5" if smallest is None else f"they support {smallest.target:g}"
        return (
            f"nothing is accepted: the {self.calibrator.passport.documents:,} documents of the calibrator do not "
            f"support an error of at most {target:g} ({supported}); allow more, or calibrate on more documents"
        )


async def conditions_of(runtime: TaggingRuntime, plan: TaggingPlan) -> Conditions:
    """Return everything that signals depend on, except for the contents of the store."""
    options, llm = runtime.options, runtime.llm
    fusion = await runtime.reader.fusion(plan.recall.paths)
    found: Conditions = {
        "vocabulary": (await runtime.store.vocabulary()).version,
        "embedding": runtime.store.embedding,
        "prior": fusion.prior.id,
        # Not the fit's id: renewed on nearly the same history it is nearly the same.
        "fit": None if fusion.note is None else f"contents of {fusion.note.fewest_tags} tags or more",
        "without": ",".join(sorted(options.without)) or None,
        "within": options.within,
        "max_rounds": str(plan.questions.max_rounds),
        "widen_below": str(options.widen_below),
        "model": None,
        "adapter": None,
        "prompts": None,
    }
    if llm is None:
        return found
    prompts = hashlib.sha256(repr(sorted(runtime.prompts().items())).encode()).hexdigest()[:12]
    # Not "adaptive": the samples that it leaves out change no decision, so the calibrator of all samples holds.
    steps = [name for name in StepChoices.model_fields if name not in ("adaptive", "max_rounds")]
    return {
        **found,
        "model": llm.identity,
        "adapter": llm.adapter.sha256 if llm.adapter else None,
        "prompts": prompts,
        **{name: as_condition(getattr(plan.questions, name)) for name in steps},
    }


def as_condition(value: object) -> str | None:
    """Return an option's value as a condition; None stays None."""
    return None if value is None else str(value)


async def calibrator_for(runtime: TaggingRuntime, plan: TaggingPlan) -> CalibratorChoice:
    """Return the calibrator that holds for results of a runtime, or why none does.

    Args:
        runtime: of the results.
        plan: of any round.
    """
    if runtime.options.uncalibrated:
        return CalibratorChoice(None, "the store's calibrator is not used, as was asked for")
    conditions = await conditions_of(runtime, plan)
    differing = ""
    for calibrator in await runtime.calibrators():
        found = calibrator.passport.difference(conditions, plan.tagged_contents)
        if not found:
            return CalibratorChoice(calibrator)
        differing = differing or found
    if differing:
        return CalibratorChoice(
            None,
            f"the store's calibrator was fitted under other conditions: {differing}; calibrate on labelled "
            "contents",
        )
    kind = "without an LLM" if runtime.llm is None else "with an LLM"
    return CalibratorChoice(
        None, f"the store has no calibrator for results {kind}: calibrate on labelled contents"
    )


def score_candidates(
    state: TaggingState,
    runtime: TaggingRuntime,
    choice: CalibratorChoice,
    shares: Mapping[str, tuple[float, int]],
) -> tuple[list[ScoredCandidate], Verdict]:
    """Return the candidates of a content, best first, and from which confidence they are accepted.

    Args:
        state: with candidates, judgements and ratings.
        runtime: of the run.
        choice: the calibrator that holds for the run.
        shares: the agreement of the samples, see ``calibration.agreement``.
    """
    candidates = state["candidates"]
    scored = combine(
        candidates,
        signals_of(state, shares),
        weights_for(state["plan"].tagged_contents),
        tuned=runtime.tuned,
        unseen=frozenset(state.get("unseen", ())),
    )
    here = choice.for_content(
        scored,
        llm_failed=bool(state.get("llm_failure")),
        cascade_skipped=cascade_skipped(state, use_llm=runtime.options.use_llm),
    )
    if here.calibrator is not None:
        scored = calibrate_all(scored, here.calibrator)
    return scored, here.verdict(runtime.target_error)


def signals_of(state: TaggingState, shares: Mapping[str, tuple[float, int]]) -> dict[str, Signals]:
    """Return the signals of each candidate of a content, by tag id."""
    return gather(recall_of(state["candidates"]), shares, state.get("judgements", {}), state.get("ratings", {}))


def decisions_on(
    scored: Sequence[ScoredCandidate], vocabulary: Vocabulary, runtime: TaggingRuntime, verdict: Verdict
) -> list[TagDecision]:
    """Return the decision on each of the best candidates; a tag that has left the vocabulary is never output."""
    decisions = [
        TagDecision(
            id=item.tag,
            name=vocabulary[item.tag].name,
            confidence=item.confidence,
            decision=decision_on(item, runtime, verdict),
            calibration=note_on(item, verdict),
            signals=item.signals,
            evidence=item.evidence,
        )
        for item in scored
        if item.tag in vocabulary.assignable
    ]
    options = runtime.options
    allowed = vocabulary.assignable if options.within is None else vocabulary.within(options.within)
    return consistent(decisions, vocabulary, options.parents, allowed)[: options.top]


def cut_off(
    scored: Sequence[ScoredCandidate], vocabulary: Vocabulary, decisions: Sequence[TagDecision]
) -> tuple[str, ...]:
    """Return the candidates that ``decisions_on`` leaves out of the result, best first."""
    left_out = vocabulary.assignable - {one.id for one in decisions}
    return tuple(item.tag for item in scored if item.tag in left_out)


def note_on(item: ScoredCandidate, verdict: Verdict) -> CalibrationNote:
    """Return whether the confidence of one candidate is calibrated or estimated."""
    return verdict.note if item.calibrated or verdict.note.status == "estimated" else _TOO_DEEP


def decision_on(item: ScoredCandidate, runtime: TaggingRuntime, verdict: Verdict) -> Decision:
    """Return the decision on one candidate: by the target of error where one is set, else by the thresholds."""
    options = runtime.options
    if runtime.target_error is None:
        accepted = item.confidence >= options.accept_at
    else:
        accepted = item.calibrated and verdict.accept_at is not None and item.confidence >= verdict.accept_at
    if accepted:
        return Decision.ACCEPT
    return Decision.REVIEW if item.confidence >= options.reviewed_from else Decision.REJECT
