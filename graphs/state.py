"""What flows through the tagging graph."""

from collections.abc import Mapping
from typing import Annotated, Any, NotRequired, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from llm4tag.calibration.agreement import Sample
from llm4tag.calibration.confidence import Scored
from llm4tag.calibration.judgement import Judgement
from llm4tag.graphs.steps import Steps
from llm4tag.prompts import PromptContext
from llm4tag.schema import CalibrationNote, Candidate, Content, Evidence, Path, TagDecision, Usage
from llm4tag.tools.plan import RecallPlan

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")


class Query(BaseModel):
    """What recall searches with in this round."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    vector: tuple[float, ...] | None = None


class Verdict(BaseModel):
    """How the confidences of a content stand, and from where a target of error accepts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    note: CalibrationNote
    accept_at: float | None = None
    """None: no target is set, or nothing can be accepted at it."""
    refusal: str = ""
    """Why nothing can be accepted at the target."""


class LLMFailure(BaseModel):
    """Why the LLM's part of a result is missing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: str
    for_good: bool = False
    """Whether it would fail again, however often it is asked."""


class TaggingInput(TypedDict):
    """One content to tag."""

    text: Annotated[str, Field(description="What to tag: at least one word.")]
    id: NotRequired[
        Annotated[str, Field(description="Stands in the result; without one it is made from the text.")]
    ]
    title: NotRequired[Annotated[str, Field(description="Stands before the text, and is read with it.")]]


class TaggingOutput(TypedDict):
    """One result line: the fields of ``schema.TagResult`` as JSON."""

    id: str
    tags: list[dict[str, Any]]
    cut: list[str]
    off_vocabulary: list[dict[str, Any]]
    degraded: str | None
    degraded_for_good: bool
    rounds: int
    usage: dict[str, Any]
    origin: dict[str, Any]
    notes: list[str]


def keep_best(
    known: Mapping[Path, Mapping[str, Evidence]] | None, new: Mapping[Path, Mapping[str, Evidence]]
) -> dict[Path, dict[str, Evidence]]:
    """Merge evidence by path and tag: a later round adds tags, and replaces evidence only by stronger."""
    merged = {path: dict(found) for path, found in (known or {}).items()}
    for path, found in new.items():
        by_tag = merged.setdefault(path, {})
        for tag, evidence in found.items():
            if tag not in by_tag or evidence.score > by_tag[tag].score:
                by_tag[tag] = evidence
    return merged


def append(known: list[T] | None, new: list[T]) -> list[T]:
    """Add to what earlier rounds gave."""
    return [*(known or []), *new]


def update(known: dict[K, V] | None, new: dict[K, V]) -> dict[K, V]:
    """Merge by key; the later value stands."""
    return {**(known or {}), **new}


def add_usage(known: Usage | None, new: Usage) -> Usage:
    """Sum what the run cost."""
    return (known or Usage()) + new


class TaggingState(TypedDict):
    """Channels between the nodes; each stage writes its own, and rounds accumulate by key."""

    text: str
    id: NotRequired[str]
    title: NotRequired[str]
    started: float
    """Seconds since the epoch when the run began."""
    content: Content
    query: Query
    plan: RecallPlan
    steps: Steps
    tagged_contents: int
    """How many contents people had tagged when the run began."""
    found: Annotated[dict[Path, dict[str, Evidence]], keep_best]
    candidates: list[Candidate]
    unseen: NotRequired[list[str]]
    """Of the candidates, the tags that came after recall was fitted, best first by their own words."""
    prompt: NotRequired[PromptContext]
    samples: Annotated[list[Sample], append]
    judgements: Annotated[dict[str, Judgement], update]
    ratings: Annotated[dict[str, float | None], update]
    """Probabilities in words; None: asked, and no usable answer."""
    scored: list[Scored]
    verdict: Verdict
    decisions: list[TagDecision]
    llm_failure: LLMFailure | None
    remarks: Annotated[list[str], append]
    spent: Annotated[Usage, add_usage]
