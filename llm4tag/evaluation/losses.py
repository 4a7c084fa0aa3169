"""Losses: each gold tag that was not accepted, by the stage that lost it, and each accepted tag that is wrong."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from llm4tag.schema import Decision, TagDecision, TagResult

_YES = 0.5
"""A tag that the LLM gives this probability or more counts as named by it."""


class LossStage(StrEnum):
    """The stage of tagging that lost a gold tag.

    A tag is *recalled* when it is a candidate: it is in the result, or among those that ``top`` cut off. A
    recalled tag is *generated* when the LLM named it in at least one sample or gave it a probability of .5 or
    more. If the LLM said nothing about any tag of the document (it got no question, or it failed), all tags of the
    result count as generated; so without an LLM a tag is lost before generation only by falling below ``top``.
    """

    NOT_RECALLED = "not recalled"
    """No path found the tag: more history, a description or aliases would help."""
    NOT_GENERATED = "recalled, not generated"
    """A candidate that no question named, that no answer named, or that is below ``top``."""
    PRUNED = "generated, pruned"
    """The confidence was too low to accept the tag: it was put to review or rejected."""
    OUTSIDE = "outside the vocabulary"
    """The tag can never be proposed: it is unknown, retired or a group."""


class MissedTag(BaseModel):
    """A gold tag that was not accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: str
    """The content's id."""
    tag: str
    """The tag's id."""
    stage: LossStage
    why: str
    """What happened, in a few words that are the same for all tags lost in this way."""
    place: int | None = None
    """Rank among the candidates, from 1; candidates below ``top`` are included."""
    found: TagDecision | None = None
    """The tag in the result, with signals and evidence; None if it is not there."""


class WrongTag(BaseModel):
    """An accepted tag that is not gold, with its evidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: str
    """The content's id."""
    place: int
    """Rank in the result, from 1."""
    found: TagDecision


class Losses(BaseModel):
    """What became of the gold tags, pooled over documents; the five numbers after ``gold`` add up to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gold: int
    accepted: int
    pruned: int
    not_generated: int
    not_recalled: int
    outside_vocabulary: int
    """Gold tags that are unknown, retired or groups; ``gold`` includes them, as else recall would be flattered."""
    reasons: dict[str, int] = Field(default_factory=dict)
    """Missed gold tags by ``MissedTag.why``, most frequent first."""
    wrong: int
    """Accepted tags that are not gold."""

    @property
    def by_stage(self) -> dict[str, int]:
        """Return the number of gold tags that were accepted and that each stage lost, by name."""
        return {
            "accepted": self.accepted,
            LossStage.PRUNED.value: self.pruned,
            LossStage.NOT_GENERATED.value: self.not_generated,
            LossStage.NOT_RECALLED.value: self.not_recalled,
            LossStage.OUTSIDE.value: self.outside_vocabulary,
        }


def missed_of(result: TagResult, gold: Iterable[str], assignable: Collection[str]) -> Iterator[MissedTag]:
    """Yield the gold tags of a result that were not accepted, in the order of their ids.

    Args:
        result: a result; its ``cut`` has the candidates below ``top``.
        gold: the ids of the gold tags.
        assignable: the tags that can be output at all.
    """
    places = {tag.id: place for place, tag in enumerate(result.tags, 1)}
    cut = {tag: place for place, tag in enumerate(result.cut, len(result.tags) + 1)}
    asked = any(tag.signals.of_llm for tag in result.tags)
    for tag in sorted(gold):
        if tag in places:
            found = result.tags[places[tag] - 1]
            if found.decision is not Decision.ACCEPT:
                stage, why = _lost(found, asked)
                yield MissedTag(content=result.id, tag=tag, stage=stage, why=why, place=places[tag], found=found)
        elif tag in cut:
            why = "below the tags in the result"
            yield MissedTag(content=result.id, tag=tag, stage=LossStage.NOT_GENERATED, why=why, place=cut[tag])
        elif tag in assignable:
            yield MissedTag(content=result.id, tag=tag, stage=LossStage.NOT_RECALLED, why="no path found it")
        else:
            why = "unknown, retired or a group"
            yield MissedTag(content=result.id, tag=tag, stage=LossStage.OUTSIDE, why=why)


def _lost(found: TagDecision, asked: bool) -> tuple[LossStage, str]:
    """Return the stage that lost a tag of the result, and how."""
    if asked and not found.signals.of_llm:
        return LossStage.NOT_GENERATED, "the LLM was not asked about it"
    if asked and not _named(found):
        return LossStage.NOT_GENERATED, "the LLM was asked and did not name it"
    return LossStage.PRUNED, "put to review" if found.decision is Decision.REVIEW else "rejected"


def _named(found: TagDecision) -> bool:
    said = found.signals
    return bool(said.agreement) or (said.p_yes or 0.0) >= _YES or (said.rating or 0.0) >= _YES


def wrong_of(result: TagResult, gold: Collection[str]) -> Iterator[WrongTag]:
    """Yield the accepted tags of a result that are not gold, best first."""
    for place, tag in enumerate(result.tags, 1):
        if tag.decision is Decision.ACCEPT and tag.id not in gold:
            yield WrongTag(content=result.id, place=place, found=tag)


def losses(
    results: Sequence[TagResult], gold: Mapping[str, frozenset[str]], assignable: frozenset[str]
) -> tuple[Losses, list[MissedTag], list[WrongTag]]:
    """Return what became of the gold tags of all results, each missed tag, and each wrong tag.

    Args:
        results: the results to measure, any number.
        gold: the gold tags of every result, by content id.
        assignable: the tags that can be output at all.
    """
    missed = [one for result in results for one in missed_of(result, gold[result.id], assignable)]
    wrong = [one for result in results for one in wrong_of(result, gold[result.id])]
    stages = Counter(one.stage for one in missed)
    total = sum(len(gold[result.id]) for result in results)
    counted = Losses(
        gold=total,
        accepted=total - len(missed),
        pruned=stages[LossStage.PRUNED],
        not_generated=stages[LossStage.NOT_GENERATED],
        not_recalled=stages[LossStage.NOT_RECALLED],
        outside_vocabulary=stages[LossStage.OUTSIDE],
        reasons=dict(Counter(one.why for one in missed).most_common()),
        wrong=len(wrong),
    )
    return counted, missed, wrong
