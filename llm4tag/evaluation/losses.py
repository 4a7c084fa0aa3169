"""Where tags are lost: each gold tag that was not accepted, by the stage that lost it, and each wrong tag."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from llm4tag.schema import Decision, TagDecision, TagResult

_YES = 0.5
"""Probability from which the LLM's judgement of a tag counts as naming it."""


class Stage(StrEnum):
    """Where a gold tag was lost.

    A tag is *recalled* when it is a candidate: it stands in the result, or among those that ``top`` cut off. A
    recalled tag is *generated* when the LLM named it in at least one sample or gave it a probability of .5 or
    more; where the LLM said nothing of any tag of the document (it was not asked, or it failed), the result itself
    is what was generated. So without an LLM a tag is lost before generation only by falling below ``top``.
    """

    NOT_RECALLED = "not recalled"
    """No path found it: more history, a description or aliases would help."""
    NOT_GENERATED = "recalled, not generated"
    """A candidate that the LLM was not asked about or did not name, or one below ``top``."""
    PRUNED = "generated, pruned"
    """Its confidence was too low to be accepted: it was put to review or rejected."""
    OUTSIDE = "outside the vocabulary"
    """Nothing can propose it: unknown, retired or a group."""


class Missed(BaseModel):
    """A gold tag that was not accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: str
    """Id of the content."""
    tag: str
    stage: Stage
    why: str
    """What exactly happened, in a few words that are the same for all such tags."""
    place: int | None = None
    """Rank among the candidates, from 1; those below ``top`` included."""
    found: TagDecision | None = None
    """Its line in the result, with signals and evidence, where it has one."""


class Wrong(BaseModel):
    """An accepted tag that is not gold, with all that spoke for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: str
    place: int
    found: TagDecision


class Losses(BaseModel):
    """What became of the gold tags, pooled over documents; the five after ``gold`` add up to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gold: int
    accepted: int
    pruned: int
    not_generated: int
    not_recalled: int
    outside_vocabulary: int
    """They stay in the gold count, as leaving them out would flatter recall."""
    reasons: dict[str, int] = Field(default_factory=dict)
    """Missed gold tags by ``Missed.why``, most frequent first."""
    wrong: int
    """Accepted tags that are not gold."""

    @property
    def by_stage(self) -> dict[str, int]:
        """What the gold tags' fates are called, with how many met each."""
        return {
            "accepted": self.accepted,
            Stage.PRUNED.value: self.pruned,
            Stage.NOT_GENERATED.value: self.not_generated,
            Stage.NOT_RECALLED.value: self.not_recalled,
            Stage.OUTSIDE.value: self.outside_vocabulary,
        }


def missed_of(result: TagResult, gold: Iterable[str], assignable: Collection[str]) -> Iterator[Missed]:
    """Yield the gold tags of a result that were not accepted, in the order of their ids.

    Args:
        result: with the candidates that ``top`` cut off in ``cut``.
        gold: tag ids.
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
                yield Missed(content=result.id, tag=tag, stage=stage, why=why, place=places[tag], found=found)
        elif tag in cut:
            why = "below the tags that the result keeps"
            yield Missed(content=result.id, tag=tag, stage=Stage.NOT_GENERATED, why=why, place=cut[tag])
        elif tag in assignable:
            yield Missed(content=result.id, tag=tag, stage=Stage.NOT_RECALLED, why="no path found it")
        else:
            why = "unknown, retired or a group"
            yield Missed(content=result.id, tag=tag, stage=Stage.OUTSIDE, why=why)


def _lost(found: TagDecision, asked: bool) -> tuple[Stage, str]:
    """Return where a tag was lost that stands in the result, and how."""
    if asked and not found.signals.of_llm:
        return Stage.NOT_GENERATED, "the LLM was not asked about it"
    if asked and not _named(found):
        return Stage.NOT_GENERATED, "the LLM was asked and did not name it"
    return Stage.PRUNED, "put to review" if found.decision is Decision.REVIEW else "rejected"


def _named(found: TagDecision) -> bool:
    said = found.signals
    return bool(said.agreement) or (said.p_yes or 0.0) >= _YES or (said.rating or 0.0) >= _YES


def wrong_of(result: TagResult, gold: Collection[str]) -> Iterator[Wrong]:
    """Yield the accepted tags of a result that are not gold, best first."""
    for place, tag in enumerate(result.tags, 1):
        if tag.decision is Decision.ACCEPT and tag.id not in gold:
            yield Wrong(content=result.id, place=place, found=tag)


def losses(
    results: Sequence[TagResult], gold: Mapping[str, frozenset[str]], assignable: frozenset[str]
) -> tuple[Losses, list[Missed], list[Wrong]]:
    """Return what became of the gold tags of all results, each that was missed, and each wrong one accepted.

    Args:
        results: any number.
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
        pruned=stages[Stage.PRUNED],
        not_generated=stages[Stage.NOT_GENERATED],
        not_recalled=stages[Stage.NOT_RECALLED],
        outside_vocabulary=stages[Stage.OUTSIDE],
        reasons=dict(Counter(one.why for one in missed).most_common()),
        wrong=len(wrong),
    )
    return counted, missed, wrong
