"""Results: the tags of one content with confidence, decision and evidence, and what they were made with."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from llm4tag.schema.candidate import Evidence, Signals


class Decision(StrEnum):
    """What should be done with a tag."""

    ACCEPT = "accept"
    REVIEW = "review"
    REJECT = "reject"


class CalibrationNote(BaseModel):
    """Where a confidence comes from, and why no calibrator made it if none did."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Literal["calibrated", "estimated"] = "estimated"
    """``calibrated``: a calibrator measured it on this store's labels. ``estimated``: it comes from what llm4tag
    learned on other vocabularies and from this store's history."""
    reason: str = ""
    """Why it is estimated; empty where it is calibrated."""
    calibrator: str | None = None
    """Id of the calibrator that made it: the time of its fit."""


class TagDecision(BaseModel):
    """One candidate with its confidence, decision, raw signals and evidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    confidence: float = Field(ge=0.0, le=1.0)
    """The probability that the tag is right, which orders the tags; ``calibration`` says where it comes from."""
    decision: Decision
    calibration: CalibrationNote
    signals: Signals = Signals()
    evidence: tuple[Evidence, ...]
    """The evidence of recall's paths."""
    reason: str = ""
    """Why the decision is another one than the confidence alone makes; empty where it is not."""


class OffVocabulary(BaseModel):
    """A name that the LLM gave, and that is not exactly one tag's name or alias."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    count: int = 1
    """The number of samples that gave it."""


class Usage(BaseModel):
    """What a result cost. Cached answers are counted apart from calls."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    llm_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    cached_answers: int = 0
    cached_prompt_tokens: int = 0
    """Prompt tokens that the model's prefix cache served, where the provider reports them."""
    cost: float | None = 0.0
    """US dollars; None where the price of the model is unknown."""

    def __add__(self, other: "Usage") -> "Usage":
        """Return the sum; an unknown cost makes the sum unknown."""
        return Usage(
            llm_calls=self.llm_calls + other.llm_calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            seconds=self.seconds + other.seconds,
            cached_answers=self.cached_answers + other.cached_answers,
            cached_prompt_tokens=self.cached_prompt_tokens + other.cached_prompt_tokens,
            cost=None if self.cost is None or other.cost is None else self.cost + other.cost,
        )


class Origin(BaseModel):
    """What a result was made with; a difference here can change it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: str = ""
    """``Content.digest`` of the tagged content, set where results are written to a file."""
    vocabulary: str
    """Version hash of the vocabulary."""
    embedding: str
    model: str | None
    """Identity of the LLM; None where none was asked."""
    adapter: str | None = None
    """sha256 of the fine-tuned judge's weights; None: no adapter was used."""
    prior: str = ""
    """Id of the prior by which recall weighs evidence."""
    fit: str | None = None
    """Id of the fit of recall on the store's history: its time; None: there is none."""
    fitted_on: int | None = None
    """The number of tagged contents that the store had at the fit; None: there is none."""
    prompts: dict[str, str] = Field(default_factory=dict)
    """Content hash of each prompt that was used, by name."""


class TagResult(BaseModel):
    """The tags of one content: one line of the output file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    text: str = ""
    """The tagged text; like ``title`` set where results are written to a file, so that a result can be accepted
    into a store that lacks its content."""
    title: str = ""
    tags: tuple[TagDecision, ...]
    """Sorted by confidence, best first, rejected candidates included."""
    cut: tuple[str, ...] = ()
    """Ids of the candidates that ``top`` left out, best first; all other tags were found by no path."""
    off_vocabulary: tuple[OffVocabulary, ...] = ()
    degraded: str | None = None
    """Why the result is less than was asked for, for example because the LLM was down; None where it is
    complete."""
    degraded_for_good: bool = False
    """Whether every other try would be degraded until the LLM is set up differently; see ``ModelSetupError``."""
    rounds: int = 1
    usage: Usage = Usage()
    origin: Origin
    notes: tuple[str, ...] = ()
    """What a reader should know, such as: no LLM was asked, the LLM saw only part of a long content."""

    @property
    def accepted(self) -> tuple[TagDecision, ...]:
        """The tags whose decision is accept."""
        return tuple(tag for tag in self.tags if tag.decision is Decision.ACCEPT)
