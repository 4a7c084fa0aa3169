"""What confidences depend on, and whether a calibrator that was fitted under the same holds for them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from llm4tag.calibration.calibrator import Calibrator
from llm4tag.calibration.confidence import Scored, missing_signal
from llm4tag.graphs.context import TagOptions
from llm4tag.graphs.planning import Planned
from llm4tag.graphs.resources import Resources
from llm4tag.graphs.state import Verdict
from llm4tag.schema import CalibrationNote, Path
from llm4tag.schema.profile import StepChoices

HOW_TO_FIT = "run `llm4tag calibrate` on labelled contents"


@dataclass(frozen=True)
class Standing:
    """Whether confidences are calibrated."""

    calibrator: Calibrator | None
    """The one that holds here, or None."""
    reason: str = ""
    """Why none holds."""

    def on(self, scored: Sequence[Scored], llm_failed: bool, spared: bool = False) -> "Standing":
        """Return how the confidences of one content stand: a signal that is weighed may be missing there.

        Args:
            scored: its candidates.
            llm_failed: whether the LLM could not be asked.
            spared: whether the cascade had nothing to ask; it had not in the contents of the fit either.
        """
        if self.calibrator is None:
            return self
        if llm_failed:
            return Standing(None, "the LLM failed, so signals that the calibrator weighs are missing")
        if spared:
            return self
        absent = missing_signal(scored, self.calibrator)
        return Standing(None, f"the calibrator weighs {absent}, which is missing here") if absent else self

    @property
    def note(self) -> CalibrationNote:
        """Return what a tag's confidence is marked with."""
        if self.calibrator is None:
            return CalibrationNote(reason=self.reason)
        return CalibrationNote(status="calibrated", calibrator=self.calibrator.passport.id)

    def verdict(self, target: float | None) -> Verdict:
        """Return what follows for the decisions on one content.

        Args:
            target: share of wrong tags among the accepted ones, at most; None: confidence decides.
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
        """Say why nothing can be accepted at a share of wrong tags; empty where something can."""
        if self.calibrator is None:
            return f"nothing is accepted: --max-error {target:g} needs a calibrator, but {self.reason}"
        if self.calibrator.threshold(target) is not None:
            return ""
        smallest = self.calibrator.smallest_target()
        supported = "none up to .5" if smallest is None else f"{smallest.target:g} at the least"
        return (
            f"nothing is accepted: --max-error {target:g} is not supported by the "
            f"{self.calibrator.passport.documents:,} documents of the calibrator ({supported}); "
            "give a larger one, or calibrate on more documents"
        )


async def conditions_of(options: TagOptions, resources: Resources, made: Planned) -> dict[str, str]:
    """Return all that signals depend on beside the contents of the store, by name."""
    fitted, plan = await resources.fitted(), made.plan
    found = {
        "vocabulary": (await resources.store.vocabulary()).version,
        "embedding": resources.store.embedding,
        "recipe": plan.recipe.value,
        "fit": fitted.fit if fitted and Path.LINEAR in plan.paths else "none",
        "without": ",".join(sorted(options.without)) or "none",
        "within": options.within or "none",
        "max_rounds": str(made.steps.max_rounds),
        "widen_below": str(options.widen_below),
        "model": "none",
        "adapter": "none",
        "prompts": "none",
    }
    if resources.llm is None:
        return found
    prompts = hashlib.sha256(repr(sorted(resources.prompts().items())).encode()).hexdigest()[:12]
    # Not "adaptive": what it leaves out changes no decision, so a calibrator of all samples holds for it.
    steps = [name for name in StepChoices.model_fields if name not in ("adaptive", "max_rounds")]
    return {
        **found,
        "model": resources.llm.identity,
        "adapter": resources.llm.adapter.sha256 if resources.llm.adapter else "none",
        "prompts": prompts,
        **{name: str(getattr(made.steps, name)) for name in steps},
    }


async def standing_of(options: TagOptions, resources: Resources, made: Planned) -> Standing:
    """Return how confidences made with these options stand.

    Args:
        options: of the run.
        resources: its store and LLM.
        made: the plan of the run, of any round, and the history it was made for.
    """
    if options.uncalibrated:
        return Standing(None, "the store's calibrator is left aside (--uncalibrated)")
    asked = "with an LLM" if options.use_llm else "without an LLM"
    calibrator = await resources.calibrator()
    if calibrator is None:
        return Standing(None, f"the store has no calibrator for results {asked}: {HOW_TO_FIT}")
    conditions = await conditions_of(options, resources, made)
    differing = calibrator.passport.difference(conditions, made.tagged_contents)
    if differing:
        why = f"the store's calibrator was fitted under other conditions: {differing}; {HOW_TO_FIT}"
        return Standing(None, why)
    return Standing(calibrator)
