"""What tagging gives back: one result a content."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from llm4tag.schema.candidate import Evidence
from llm4tag.schema.signals import Signals


class Decision(StrEnum):
    """What to do with a tag."""

    ACCEPT = "accept"
    REVIEW = "review"
    REJECT = "reject"


class Recipe(StrEnum):
    """How the recall paths were weighed."""

    LEARNED = "learned"
    """By the fusion that was fitted on history."""
    HISTORY = "history"
    """By fixed weights: similar contents and the linear scorer lead."""
    VOCABULARY = "vocabulary"
    """By fixed weights: nothing is tagged, the tags' own words lead."""


class CalibrationNote(BaseModel):
    """Whether a confidence is a measured probability, and why not if it is not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Literal["calibrated", "uncalibrated"] = "uncalibrated"
    reason: str = ""
    calibrator: str | None = None
    """Which one it is by: the time of its fit."""


class TagDecision(BaseModel):
    """One candidate with its confidence, decision, raw signals and evidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    confidence: float = Field(ge=0.0, le=1.0)
    """Always a number, and what ranks; it is a probability only where ``calibration`` says so."""
    decision: Decision
    calibration: CalibrationNote
    signals: Signals = Signals()
    evidence: tuple[Evidence, ...]
    """Of recall's paths."""


class OffVocabulary(BaseModel):
    """A name that the LLM gave and that is exactly one tag's neither by name nor by alias."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    count: int = 1
    """In how many samples it stood."""


class Usage(BaseModel):
    """What a result cost. Answers replayed from the cache count as hits, never as calls."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    llm_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    cached_answers: int = 0
    cached_prompt_tokens: int = 0
    """Prompt tokens that the model's prefix cache served, where the provider reports them."""
    cost: float | None = 0.0
    """US dollars; None when the price of the model is unknown."""

    def __add__(self, other: "Usage") -> "Usage":
        """Return the sum; an unknown cost beside a known one stays unknown."""
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
    """What a result was made with; any difference here can change it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: str = ""
    """``Content.digest`` of what was tagged, set where results are written to a file."""
    vocabulary: str
    """Version hash of the vocabulary."""
    embedding: str
    model: str | None
    """None when no LLM was asked."""
    adapter: str | None = None
    """sha256 of the fine-tuned judge's weights; None: the model judged as it comes."""
    recipe: Recipe | None = None
    """None in results of a version that did not say."""
    fit: str | None = None
    """Which fit of the linear scorer and the fusion was used: its time; None: none."""
    prompts: dict[str, str] = Field(default_factory=dict)
    """Content hash of every prompt that was used, by name."""


class TagResult(BaseModel):
    """The tags of one content: one line of the output file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    text: str = ""
    """What was tagged, as ``title`` too: set where results are written to a file, so that a result can be accepted
    into a store that lacks its content."""
    title: str = ""
    tags: tuple[TagDecision, ...]
    """Sorted by confidence, best first, rejected candidates included."""
    cut: tuple[str, ...] = ()
    """Ids of the candidates that ``top`` left out, best first: recalled, and nothing more is said of them.
    They tell a tag that was cut off from one that no path found."""
    off_vocabulary: tuple[OffVocabulary, ...] = ()
    degraded: str | None = None
    """Why the result is less than was asked for (the LLM was down, say); None when all went well."""
    degraded_for_good: bool = False
    """Whether trying again is of no use until the LLM is set up otherwise; see ``ModelSetupError``."""
    rounds: int = 1
    usage: Usage = Usage()
    origin: Origin
    notes: tuple[str, ...] = ()
    """What a reader should know: that no LLM was asked, that the LLM saw only part of a long content."""

    @property
    def accepted(self) -> tuple[TagDecision, ...]:
        """The tags whose decision is accept."""
        return tuple(tag for tag in self.tags if tag.decision is Decision.ACCEPT)
