"""Tag many contents: several at once, each result saved as it finishes, and no failure stops the others."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from llm4tag.result_files import EarlierResult, ResultSink
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
"""Contents in a row that fail before a run gives up: then the store is gone, and no content is to blame."""
TRIAL = 3
"""First results that may all be degraded for good before a run gives up: then the LLM is set up wrongly."""


class CostBounds(Protocol):
    """Upper bounds of what a run will ask of the LLM."""

    @property
    def llm_calls(self) -> int:
        """The number of calls."""

    @property
    def prompt_tokens(self) -> int:
        """The tokens of all prompts."""

    @property
    def completion_tokens(self) -> int:
        """The tokens of all answers."""

    @property
    def cost(self) -> float | None:
        """The cost in US dollars; None if the price of the model is unknown."""


class BatchTagger(Protocol):
    """The part of a tagger that a run uses."""

    async def atag(self, content: Content) -> TagResult:
        """Tag one content; if the LLM fails, the result is degraded."""

    async def fingerprint(self) -> dict[str, str | None]:
        """Return all settings that results depend on."""

    async def refusal(self) -> str:
        """Return why no tag can be accepted; empty if some can, or if nobody knows yet."""

    async def estimate(self, contents: Sequence[Content]) -> CostBounds:
        """Return upper bounds for the contents; cached answers are not deducted."""


@dataclass(frozen=True, slots=True)
class TaggingFailure:
    """A content that has no result, and the error that is the reason."""

    content: Content
    error: Exception

    def __str__(self) -> str:
        kind = "" if isinstance(self.error, Llm4tagError) else f"{type(self.error).__name__}: "
        return f"tagging failed: {kind}{self.error}"


@dataclass(slots=True)
class RunReport:
    """The counts of a run."""

    resumed: int = 0
    """The number of results that earlier runs wrote."""
    tagged: int = 0
    """The number of results that this run wrote."""
    reasons: Counter[str] = field(default_factory=Counter)
    """How many results are degraded for each reason, those of earlier runs included."""
    usage: Usage = field(default_factory=Usage)
    """The usage of this run, without the results of earlier runs."""
    failures: list[TaggingFailure] = field(default_factory=list)
    _in_a_row: int = 0

    @property
    def degraded(self) -> int:
        """Return the number of degraded results, those of earlier runs included."""
        return self.reasons.total()

    @property
    def whole(self) -> bool:
        """Return whether every content has a result and none is degraded."""
        return not self.failures and not self.degraded

    def count(self, result: TagResult) -> None:
        """Count a result."""
        self._in_a_row = 0
        self.tagged += 1
        if result.degraded is not None:
            self.reasons[result.degraded] += 1
        self.usage += result.usage

    def fail(self, failure: TaggingFailure) -> None:
        """Count a failure.

        Raises:
            Exception: the failure's error, if too many came in a row, or if all other contents would fail too
                (the model is not here, the store's server is gone).
        """
        self._in_a_row += 1
        self.failures.append(failure)
        hopeless = isinstance(failure.error, ModelNotFoundError | StoreUnreachableError)
        if hopeless or self._in_a_row >= MOST_FAILURES:
            raise failure.error


def remaining(contents: Sequence[Content], sink: ResultSink) -> list[Content]:
    """Return the contents that have no result yet."""
    return [content for content in contents if content.id not in sink.done]


def check_cost(estimate: CostBounds, max_cost: float | None) -> None:
    """Refuse a run that would cost too much.

    Raises:
        UsageError: the price of the model is unknown, so no limit can be observed.
        CostLimitError: the estimate is above the limit.
    """
    if max_cost is None or not estimate.llm_calls:
        return
    if estimate.cost is None:
        raise UsageError(
            "cannot be observed, as the price of the model is unknown", option="max_cost", remedy="run without it"
        )
    if estimate.cost > max_cost:
        raise CostLimitError(
            f"the run may cost ${estimate.cost:.4f}, above the ${max_cost:.4f} allowed",
            option="max_cost",
            remedy="raise it, or tag fewer contents with {limit}",
        )


async def run(
    tagger: BatchTagger,
    contents: Sequence[Content],
    sink: ResultSink,
    *,
    concurrency: int = 1,
    max_cost: float | None = None,
    report: RunReport | None = None,
    on_result: Callable[[Content, TagResult | TaggingFailure], None] | None = None,
) -> RunReport:
    """Tag the contents that have no result in the sink yet.

    Args:
        tagger: tags one content.
        contents: the contents, with unique ids.
        sink: takes every result as it finishes; after a cancellation it has all results that ``report`` counts.
        concurrency: the number of contents that are tagged at once.
        max_cost: US dollars that this run may spend; contents in work when they are spent are finished.
        report: counted in place, so that it can be read after a cancellation too.
        on_result: called with each content and its result or failure.

    Raises:
        CostLimitError: ``max_cost`` is spent.
        ModelSetupError: the first three results (all, if there are fewer) are degraded for good.
        ModelNotFoundError: the local model is not on this machine.
        StoreUnreachableError: the store's server is gone.
        Exception: the error of the last of five failures in a row, or of the first one if nothing could be tagged.
    """
    report = report or RunReport()
    _resume(report, contents, sink.done)
    left_to_tag = remaining(contents, sink)
    todo, writer = iter(left_to_tag), _TrialWriter(sink, report, min(TRIAL, len(left_to_tag)))
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(_work(tagger, todo, writer, report, max_cost, on_result))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    await writer.finish()
    if report.failures and not report.tagged and not report.resumed:
        raise report.failures[0].error
    left = sum(1 for _ in todo)
    if left:
        spent = "an unknown sum" if report.usage.cost is None else f"${report.usage.cost:.4f}"
        raise CostLimitError(
            f"{spent} spent of the ${max_cost:.4f} allowed, {left} contents are left",
            option="max_cost",
            remedy="run again to go on",
        )
    return report


def _resume(report: RunReport, contents: Sequence[Content], done: Mapping[str, EarlierResult]) -> None:
    earlier = [done[content.id] for content in contents if content.id in done]
    report.resumed = len(earlier)
    report.reasons.update(result.degraded for result in earlier if result.degraded is not None)


class _TrialWriter:
    """Writes results and counts them, but delays the first ones while all of them are degraded for good.

    So a run that stops because the LLM is set up wrongly writes no result that must be tagged again.

    Args:
        sink: takes the results.
        report: counts the results that are written.
        trial: the number of results that may be delayed.
    """

    def __init__(self, sink: ResultSink, report: RunReport, trial: int) -> None:
        self._sink = sink
        self._report = report
        self._trial = trial
        self._delayed: list[TagResult] = []

    async def write(self, result: TagResult) -> None:
        """Write a result, or delay it while the trial goes on.

        Raises:
            ModelSetupError: no result of the trial got an answer, and none could get one.
        """
        self._delayed.append(result)
        if self._trial and result.degraded_for_good:
            if len(self._delayed) == self._trial:
                raise ModelSetupError(
                    f"{result.degraded}; nothing is written, as the LLM can never answer with this setup",
                    remedy="correct the setup, or tag from recall alone ({use_llm})",
                )
            return
        self._trial = 0
        await self.finish()

    async def finish(self) -> None:
        """Write the results that were delayed."""
        delayed, self._delayed = self._delayed, []
        for result in delayed:
            await self._sink.write(result)
            self._report.count(result)


def _affordable(usage: Usage, max_cost: float | None) -> bool:
    if max_cost is None or not usage.llm_calls:
        return True
    return usage.cost is not None and (usage.cost == 0 or usage.cost < max_cost)


async def _work(
    tagger: BatchTagger,
    todo: Iterator[Content],
    writer: _TrialWriter,
    report: RunReport,
    max_cost: float | None,
    on_result: Callable[[Content, TagResult | TaggingFailure], None] | None,
) -> None:
    while _affordable(report.usage, max_cost):
        content = next(todo, None)
        if content is None:
            return
        outcome = await _tag(tagger, content)
        if isinstance(outcome, TaggingFailure):
            report.fail(outcome)
        else:
            await writer.write(outcome)
        if on_result is not None:
            on_result(content, outcome)


async def _tag(tagger: BatchTagger, content: Content) -> TagResult | TaggingFailure:
    try:
        result = await tagger.atag(content)
    except Exception as error:  # whatever it is, the other contents go on
        return TaggingFailure(content, error)
    origin = result.origin.model_copy(update={"content": content.digest})
    return result.model_copy(update={"text": content.text, "title": content.title, "origin": origin})
