"""The state of the tagging graph: its input, its channels, its output, and how updates are merged."""

from collections.abc import Mapping
from typing import Annotated, Any, NotRequired, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from llm4tag.calibration.confidence import ScoredCandidate
from llm4tag.graphs.plan import TaggingPlan
from llm4tag.prompts import PromptContext
from llm4tag.schema import CalibrationNote, Candidate, Content, Evidence, Path, TagDecision, Usage
from llm4tag.schema.llm_answers import Judgement, Sample
from llm4tag.tools.recall import RecallQuery

Update = dict[str, Any]
"""A partial update of the state, by channel: what a node returns."""
T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")


class Verdict(BaseModel):
    """Whether the confidences of a content are calibrated, and from where a target of error accepts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    note: CalibrationNote
    accept_at: float | None = None
    """The confidence from which tags are accepted; None: no target is set, or nothing can be accepted at it."""
    refusal: str = ""
    """Why nothing can be accepted at the target."""


class LLMFailure(BaseModel):
    """Why the LLM's part of a result is missing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: str
    for_good: bool = False
    """Whether every other try would fail as well."""


class TaggingInput(TypedDict):
    """One content to tag."""

    text: Annotated[str, Field(description="The text to tag: at least one word.")]
    id: NotRequired[
        Annotated[
            str,
            Field(description="Id of the content; without one it is made from the text."),
        ]
    ]
    title: NotRequired[Annotated[str, Field(description="Title of the content, read before the text.")]]


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
    """Append to the items of earlier rounds."""
    return [*(known or []), *new]


def update(known: dict[K, V] | None, new: dict[K, V]) -> dict[K, V]:
    """Merge by key; a later value replaces an earlier one."""
    return {**(known or {}), **new}


def add_usage(known: Usage | None, new: Usage) -> Usage:
    """Add up the usage of a run."""
    return (known or Usage()) + new


class TaggingState(TypedDict):
    """The channels between the nodes; each node writes its own, and rounds add to them by key."""

    text: str
    id: NotRequired[str]
    title: NotRequired[str]
    started: float
    """Seconds since the epoch when the run began."""
    content: Content
    query: RecallQuery
    """What recall searches with in this round."""
    plan: TaggingPlan
    found: Annotated[dict[Path, dict[str, Evidence]], keep_best]
    candidates: list[Candidate]
    unseen: NotRequired[list[str]]
    """The candidates that are newer than recall's fit, best first by their own words."""
    prompt: NotRequired[PromptContext]
    samples: Annotated[list[Sample], append]
    judgements: Annotated[dict[str, Judgement], update]
    ratings: Annotated[dict[str, float | None], update]
    """Probabilities in words; None: rated, without a usable answer."""
    no_logprobs: NotRequired[bool]
    """True once the model answered without log-probabilities: it cannot judge."""
    scored: list[ScoredCandidate]
    verdict: Verdict
    decisions: list[TagDecision]
    llm_failure: LLMFailure | None
    remarks: Annotated[list[str], append]
    """Notes for the reader of the result, which no node reads; the output has a channel named ``notes``."""
    spent: Annotated[Usage, add_usage]
