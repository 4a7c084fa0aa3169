"""What a calibrator was fitted under: confidences of anything else are not its business."""

from collections.abc import Mapping

from pydantic import AwareDatetime, BaseModel, ConfigDict

from llm4tag.calibration.fitted import outgrown


class Figure(BaseModel):
    """A figure with its 95 % bootstrap interval over documents; None where it is undefined."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float | None
    low: float | None = None
    high: float | None = None


class Passport(BaseModel):
    """The circumstances of a calibrator, and what it was measured to be worth."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: AwareDatetime
    conditions: dict[str, str]
    """All that signals depend on, by name: model, adapter, prompts, vocabulary, recipe, fit, LLM steps, …"""
    tagged_contents: int
    """How many contents people had tagged."""
    depth: int
    """How many candidates of a content it was fitted on, best first."""
    signals: tuple[str, ...]
    """The columns of ``llm4tag.calibration.numbers`` that it weighs."""
    method: str
    """How it was fitted, in words."""
    documents: int
    pairs: int
    right: int
    """How many of the pairs are right."""
    level: float
    """How sure its guarantees are."""
    metrics: dict[str, Figure]
    """Of confidences for documents that had no part in the fit."""

    @property
    def id(self) -> str:
        """Tells this calibrator from others: the time of its fit."""
        return self.time.isoformat()

    def difference(self, conditions: Mapping[str, str], tagged_contents: int) -> str:
        """Say what is otherwise now than when it was fitted; empty where nothing is.

        History may grow within ``llm4tag.calibration.fitted.GROWTH``: recall's evidence then
        shifts little, and what was fitted on it stays. A new fit is another condition altogether.
        """
        names = sorted(self.conditions.keys() | conditions.keys())
        differing = [
            f"{name} (then {self.conditions.get(name)}, now {conditions.get(name)})"
            for name in names
            if self.conditions.get(name) != conditions.get(name)
        ]
        then = self.tagged_contents
        if outgrown(then, tagged_contents):
            differing.append(f"tagged contents (then {then:,}, now {tagged_contents:,})")
        return ", ".join(differing)
