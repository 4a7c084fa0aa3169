"""The evaluation of results against gold tags: the figures that scripts read as JSON, and what explains them."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import add

from pydantic import BaseModel, ConfigDict, Field

from llm4tag.evaluation.automation import Automation, automation
from llm4tag.evaluation.bootstrap import intervals
from llm4tag.evaluation.losses import Losses, losses
from llm4tag.evaluation.metrics import RankedTags, measure, pairs_of
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.schema import Decision, TagResult, Usage

FREQUENCIES = {"0": (0, 0), "1-5": (1, 5), "6-50": (6, 50), "51+": (51, math.inf)}
"""Bins of tags by the number of documents in history that people gave them to: both bounds are included."""


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FrequencyBin(_Report):
    """The gold tags of one bin of frequency in history, pooled over documents."""

    history_documents: str
    """The name of the bin, one of ``FREQUENCIES``."""
    gold: int
    recall_at_5: float | None = Field(serialization_alias="recall@5", validation_alias="recall@5")
    recall_at_10: float | None = Field(serialization_alias="recall@10", validation_alias="recall@10")
    recall_at_50: float | None = Field(serialization_alias="recall@50", validation_alias="recall@50")
    accepted: int
    """The number of accepted tags of this bin, right or wrong."""
    error: float | None
    """The share of those that are wrong; None if none was accepted."""


class Evaluation(_Report):
    """Metrics of a run over a labelled file; the first five fields stay as they are for scripts that read them."""

    documents: int
    pairs: int
    """The first 40 candidates of every document; auroc, log_loss, brier and ece are over these pairs."""
    prevalence: float | None
    """The share of the pairs that are right."""
    metrics: dict[str, float | None]
    """None where a metric is undefined (AUROC over pairs that are all right or all wrong)."""
    cost: Usage
    intervals: dict[str, tuple[float, float] | None]
    """95 % bootstrap intervals over documents."""
    by_frequency: tuple[FrequencyBin, ...]
    losses: Losses
    automation: Automation
    degraded: int
    """Documents with a degraded result."""
    failed: int = 0
    """Documents that could not be tagged at all; no other figure includes them."""
    calibration: dict[str, int]
    """Candidates by calibration status."""
    outside_within: int = 0
    """Gold tags that were left out because the run was limited to another part of the vocabulary."""
    settings: dict[str, str | None] = Field(default_factory=dict)
    """All settings that the results depend on."""
    sample: dict[str, int] | None = None
    """``limit`` and ``seed``, if a sample was taken."""

    def to_json(self) -> str:
        """Return the evaluation as indented JSON."""
        return self.model_dump_json(by_alias=True, indent=2)


def ranked_tags(result: TagResult, gold: Iterable[str]) -> RankedTags:
    """Return the tags of a result with the gold tags, as metrics need them."""
    return RankedTags(
        ranked=tuple(tag.id for tag in result.tags),
        confidences=tuple(tag.confidence for tag in result.tags),
        gold=frozenset(gold),
    )


def accepted_in(result: TagResult) -> list[bool]:
    """Return whether each tag of a result was accepted."""
    return [tag.decision is Decision.ACCEPT for tag in result.tags]


async def history_counts(store: KnowledgeStore) -> dict[str, int]:
    """Return the number of contents in a store's history that people gave each tag to, by tag."""
    return {tag: count.human for tag, count in (await store.tag_counts()).items()}


def evaluate(
    results: Sequence[TagResult],
    gold: Mapping[str, frozenset[str]],
    assignable: frozenset[str],
    history: Mapping[str, int],
    *,
    outside_within: int = 0,
    failed: int = 0,
    settings: Mapping[str, str | None] | None = None,
    sample: Mapping[str, int] | None = None,
) -> Evaluation:
    """Measure results against gold tags.

    Args:
        results: the results to measure; at least one.
        gold: the gold tags of every result, at least one each, by content id.
        assignable: the tags that can be output at all.
        history: the number of documents in history that people gave each tag to; see ``history_counts``.
        outside_within: the number of gold tags that were left out beforehand.
        failed: the number of documents without a result.
        settings: all settings that the results depend on.
        sample: ``limit`` and ``seed``, if a sample was taken.
    """
    documents = [ranked_tags(result, gold[result.id]) for result in results]
    accepted = [accepted_in(result) for result in results]
    pairs = pairs_of(documents)
    return Evaluation(
        documents=len(documents),
        pairs=len(pairs),
        prevalence=pairs.prevalence,
        metrics=measure(documents),
        cost=reduce(add, (result.usage for result in results), Usage()),
        intervals=intervals(documents),
        by_frequency=_by_frequency(documents, accepted, history),
        losses=losses(results, gold, assignable)[0],
        automation=automation(documents, accepted),
        degraded=sum(result.degraded is not None for result in results),
        calibration=dict(Counter(tag.calibration.status for result in results for tag in result.tags)),
        outside_within=outside_within,
        failed=failed,
        settings=dict(settings or {}),
        sample=None if sample is None else dict(sample),
    )


def _by_frequency(
    documents: Sequence[RankedTags], accepted: Sequence[Sequence[bool]], history: Mapping[str, int]
) -> tuple[FrequencyBin, ...]:
    bins = []
    for label, (low, high) in FREQUENCIES.items():
        wanted = [{tag for tag in one.gold if low <= history.get(tag, 0) <= high} for one in documents]
        gold = sum(len(tags) for tags in wanted)

        def recall(depth: int, wanted: Sequence[set[str]] = wanted, gold: int = gold) -> float | None:
            found = sum(len(tags & set(one.ranked[:depth])) for tags, one in zip(wanted, documents, strict=True))
            return found / gold if gold else None

        right = [
            tag in one.gold
            for one, taken in zip(documents, accepted, strict=True)
            for tag, accept in zip(one.ranked, taken, strict=True)
            if accept and low <= history.get(tag, 0) <= high
        ]
        bins.append(
            FrequencyBin(
                history_documents=label,
                gold=gold,
                accepted=len(right),
                error=1 - sum(right) / len(right) if right else None,
                **{f"recall@{depth}": recall(depth) for depth in (5, 10, 50)},
            )
        )
    return tuple(bins)
