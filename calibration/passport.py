"""Passports: under which conditions something was fitted, and so for what it holds."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict

from llm4tag.schema.text import differences

Conditions: TypeAlias = dict[str, str | None]
"""Everything that results depend on, by name; None: that part has no say."""

CalibratorSource: TypeAlias = Literal["labels", "history"]

GROWTH = 1.1
"""The factor by which history may grow or shrink before a fit on it is out of date."""


class FitNote(BaseModel):
    """When, on what and with what recall was fitted; a part of every fitted model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: AwareDatetime
    vocabulary: str
    """Version hash of the vocabulary at the time."""
    embedding: str
    """Name of the embedding model, or ``none``."""
    tagged_contents: int
    """The number of contents that people had tagged."""
    documents: int
    """The number of these that the model was fitted on."""
    seed: int
    versions: dict[str, str]
    """Versions of the libraries that fitted it, by name."""


def outgrown(then: int, now: int) -> bool:
    """Say whether history has grown or shrunk too much since a fit.

    Args:
        then: the number of tagged contents at the fit.
        now: the number of tagged contents.
    """
    return not then / GROWTH <= now <= then * GROWTH


class Figure(BaseModel):
    """A figure with its 95 % bootstrap interval over documents; None where it is undefined."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float | None
    low: float | None = None
    high: float | None = None


class Passport(BaseModel):
    """The conditions under which a calibrator was fitted, and its measured quality."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: AwareDatetime
    source: CalibratorSource = "labels"
    """Whether it was fitted on a labelled file, or on the store's own history as if each content were new."""
    conditions: Conditions
    """Everything that signals depend on, by name: model, adapter, prompts, vocabulary, prior, fit, LLM steps,
    …"""
    tagged_contents: int
    """The number of contents that people had tagged."""
    depth: int
    """The number of candidates of each content that it was fitted on, best first."""
    signals: tuple[str, ...]
    """The columns of ``calibration.columns`` that it weighs."""
    method: str
    """The choices of the fit, in words."""
    documents: int
    pairs: int
    right: int
    """The number of pairs whose tag is gold."""
    level: float
    """The confidence of its guarantees, such as 0.9."""
    metrics: dict[str, Figure]
    """Quality of confidences for documents that had no part in the fit, by name."""

    @property
    def id(self) -> str:
        """The calibrator's id: the time of its fit."""
        return self.time.isoformat()

    def difference(self, conditions: Mapping[str, str | None], tagged_contents: int) -> str:
        """Return in words which conditions differ from those of the fit; empty where none does.

        History may grow within ``GROWTH``: recall's evidence shifts little then, and what was fitted on it stays
        the same. A new fit of recall is another condition.
        """
        differing = differences(self.conditions, conditions)
        then = self.tagged_contents
        if outgrown(then, tagged_contents):
            differing.append(f"tagged contents (then {then:,}, now {tagged_contents:,})")
        return ", ".join(differing)
