"""Tag many contents: bounded concurrency, results kept as they finish, one failure never stopping the others."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from llm4tag.result_files import Done, Sink
from llm4tag.schema import (
    Content,
    CostLimitError,
    Llm4tagError,
    ModelNotFoundError,
    ModelSetupError,
    StoreUnreachableError,
    TagResult,
    Usage,
    UsageError,
)

MOST_FAILURES = 5
"""Contents in a row that fail altogether before a run gives up: the store is gone, not the content bad."""
TRIAL = 3
"""First results that may all be degraded for good before a run gives up: the LLM is set up wrongly."""


class Estimated(Protocol):
    """What a run will ask of the LLM at most."""

    @property
    def llm_calls(self) -> int:
        """Calls."""

    @property
    def prompt_tokens(self) -> int:
        """Tokens of all prompts."""

    @property
    def completion_tokens(self) -> int:
        """Tokens of all answers."""

    @property
    def cost(self) -> float | None:
        """US dollars; None when the price of the model is unknown."""


class BatchTagger(Protocol):
    """What a run needs of a tagger."""

    async def atag(self, content: Content) -> TagResult:
        """Tag one content; what the LLM fails at comes back degraded."""

    async def fingerprint(self) -> dict[str, str | None]:
        """Return all that results depend on."""

    async def refusal(self) -> str:
        """Say why no tag can be accepted; empty where some can, or nobody knows yet."""

    async def estimate(self, contents: Sequence[Content]) -> Estimated:
        """Return upper bounds, before the answer cache."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A content that has no result, and why."""

    content: Content
    error: Exception

    def __str__(self) -> str:
        kind = "" if isinstance(self.error, Llm4tagError) else f"{type(self.error).__name__}: "
        return f"tagging failed: {kind}{self.error}"


@dataclass(slots=True)
class Report:
    """What a run did."""

    resumed: int = 0
    """Results that were there already."""
    tagged: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Why results are degraded, those that were there already included."""
    usage: Usage = field(default_factory=Usage)
    """What this run cost, resumed results not included."""
    failures: list[Failure] = field(default_factory=list)
    _in_a_row: int = 0

    @property
    def degraded(self) -> int:
        """Degraded results, those that were there already included."""
        return self.reasons.total()

    @property
    def whole(self) -> bool:
        """Whether every content has a result and none is degraded."""
        return not self.failures and not self.degraded

    def count(self, result: TagResult) -> None:
        """Count a result."""
        self._in_a_row = 0
        self.tagged += 1
        if result.degraded is not None:
            self.reasons[result.degraded] += 1
        self.usage += result.usage

    def fail(self, failure: Failure) -> None:
        """Count a failure.

        Raises:
            Exception: the failure's, when too many came in a row, or no other content can fare better (no
                model here, the store's server gone).
        """
        self._in_a_row += 1
        self.failures.append(failure)
        hopeless = isinstance(failure.error, ModelNotFoundError | StoreUnreachableError)
        if hopeless or self._in_a_row >= MOST_FAILURES:
            raise failure.error


def remaining(contents: Sequence[Content], sink: Sink) -> list[Content]:
    """Return the contents that have no result yet."""
    return [content for content in contents if content.id not in sink.done]


def check_cost(estimate: Estimated, max_cost: float | None) -> None:
    """Refuse a run that would cost too much, before it costs anything.

    Raises:
        UsageError: the price of the model is unknown, so no limit can be kept.
        CostLimitError: the estimate is above the limit.
    """
    if max_cost is None or not estimate.llm_calls:
        return
    if estimate.cost is None:
        raise UsageError("--max-cost cannot be kept: the price of the model is unknown; run without it")
    if estimate.cost > max_cost:
        raise CostLimitError(
            f"the run may cost ${estimate.cost:.4f}, above the ${max_cost:.4f} of --max-cost; "
            "raise it, or tag fewer contents with --limit"
        )


async def run(
    tagger: BatchTagger,
    contents: Sequence[Content],
    sink: Sink,
    *,
    concurrency: int = 1,
    max_cost: float | None = None,
    report: Report | None = None,
    on_result: Callable[[Content, TagResult | Failure], None] | None = None,
) -> Report:
    """Tag the contents that the sink has no result of.

    Args:
        tagger: tags one content.
        contents: with unique ids.
        sink: takes every result as it finishes; on cancellation it holds all that ``report`` counts.
        concurrency: contents in work at once.
        max_cost: US dollars that this run may spend; what is in work when they are spent is finished.
        report: counted in place, so that it can be read after a cancellation too.
        on_result: called after each content.

    Raises:
        CostLimitError: the money is spent.
        ModelSetupError: the first three results, or all if there are fewer, are degraded for good.
        ModelNotFoundError: the local model is not on this machine.
        StoreUnreachableError: the store's server is gone.
        Exception: the last of five failures in a row, or, where nothing could be tagged at all, the first failure.
    """
    report = report or Report()
    _resume(report, contents, sink.done)
    left_to_tag = remaining(contents, sink)
    todo, keeper = iter(left_to_tag), _Keeper(sink, report, min(TRIAL, len(left_to_tag)))
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(_work(tagger, todo, keeper, report, max_cost, on_result))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    await keeper.finish()
    if report.failures and not report.tagged and not report.resumed:
        raise report.failures[0].error
    left = sum(1 for _ in todo)
    if left:
        spent = "an unknown sum" if report.usage.cost is None else f"${report.usage.cost:.4f}"
        raise CostLimitError(
            f"{spent} spent of the ${max_cost:.4f} of --max-cost; {left} contents are left, run again to go on"
        )
    return report


def _resume(report: Report, contents: Sequence[Content], done: Mapping[str, Done]) -> None:
    there = [done[content.id] for content in contents if content.id in done]
    report.resumed = len(there)
    report.reasons.update(result.degraded for result in there if result.degraded is not None)


class _Keeper:
    """Writes results and counts them, but holds the first back while all of them are degraded for good.

    So a run that is stopped because the LLM is set up wrongly leaves nothing behind that must be tagged again.

    Args:
        sink: where to.
        report: counts what is written.
        trial: how many results may be held back.
    """

    def __init__(self, sink: Sink, report: Report, trial: int) -> None:
        self._sink = sink
        self._report = report
        self._trial = trial
        self._held: list[TagResult] = []

    async def keep(self, result: TagResult) -> None:
        """Keep a result.

        Raises:
            ModelSetupError: no result of the trial got an answer, nor could any.
        """
        self._held.append(result)
        if self._trial and result.degraded_for_good:
            if len(self._held) == self._trial:
                raise ModelSetupError(
                    f"{result.degraded}; nothing is written, as the LLM can never answer so "
                    "(--no-llm tags from recall alone)"
                )
            return
        self._trial = 0
        await self.finish()

    async def finish(self) -> None:
        """Write what is held back."""
        held, self._held = self._held, []
        for result in held:
            await self._sink.write(result)
            self._report.count(result)


def _affordable(usage: Usage, max_cost: float | None) -> bool:
    if max_cost is None or not usage.llm_calls:
        return True
    return usage.cost is not None and (usage.cost == 0 or usage.cost < max_cost)


async def _work(
    tagger: BatchTagger,
    todo: Iterator[Content],
    keeper: _Keeper,
    report: Report,
    max_cost: float | None,
    on_result: Callable[[Content, TagResult | Failure], None] | None,
) -> None:
    while _affordable(report.usage, max_cost):
        content = next(todo, None)
        if content is None:
            return
        outcome = await _tag(tagger, content)
        if isinstance(outcome, Failure):
            report.fail(outcome)
        else:
            await keeper.keep(outcome)
        if on_result is not None:
            on_result(content, outcome)


async def _tag(tagger: BatchTagger, content: Content) -> TagResult | Failure:
    try:
        result = await tagger.atag(content)
    except Exception as error:  # whatever it is, the other contents go on
        return Failure(content, error)
    origin = result.origin.model_copy(update={"content": content.digest})
    return result.model_copy(update={"text": content.text, "title": content.title, "origin": origin})
