"""A run over many contents, as ``tag``, ``evaluate`` and ``calibrate`` do it: output file, messages, outcome."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llm4tag.batch import BatchTagger, CostBounds, RunReport, check_cost, remaining, run
from llm4tag.cli.console import progress_bar, say
from llm4tag.cli.error_words import in_words
from llm4tag.cli.options import RunOptions
from llm4tag.input_contents import InputRows, set_aside
from llm4tag.result_files import MemorySink, OutputFile, ResultSink, StreamSink
from llm4tag.schema import Content, UsageError

STDOUT = "-"
_SHOWN = 5


@contextmanager
def reporting_progress(report: RunReport, output: str | None) -> Iterator[None]:
    """At Ctrl-C, say how much is done and how to go on."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"{_progress(report, output)}; run the same command again to go on") from error


def _progress(report: RunReport, output: str | None) -> str:
    done = report.resumed + report.tagged
    return f"{done:,} are done" if output in (None, STDOUT) else f"{done:,} results are saved in {output}"


async def tag_contents(
    tagger: BatchTagger,
    contents: Sequence[Content],
    output: str | None,
    options: RunOptions,
    concurrency: int,
    report: RunReport,
) -> ResultSink:
    """Tag contents into an output file, skipping those whose results it has.

    Args:
        tagger: tags one content.
        contents: what to tag; their ids are unique.
        output: path of the file; ``-`` is stdout, None is memory.
        options: of the run.
        concurrency: number of contents to work at together.
        report: changed in place, to count what is done.

    Returns:
        What holds the results, closed.

    Raises:
        UsageError: the output file cannot be continued.
        CostLimitError: the run would cost, or has cost, more than allowed.
        Llm4tagError: the store or the model failed as a whole.
    """
    sink = await _open(tagger, contents, output, options)
    try:
        if refusal := await tagger.refusal():
            say(refusal, "yellow")
        todo = remaining(contents, sink)
        if len(todo) < len(contents):
            say(f"{len(contents) - len(todo):,} of {len(contents):,} contents are tagged already")
        if todo:
            estimate = await tagger.estimate(todo)
            _print_estimate(estimate, len(todo))
            check_cost(estimate, options.max_cost)
        with progress_bar("tagging", len(todo), "contents") as bar:
            await run(
                tagger,
                contents,
                sink,
                concurrency=concurrency,
                max_cost=options.max_cost,
                report=report,
                on_result=lambda *_: bar(1),
            )
    except Exception:
        # Ctrl-C is no Exception, and has a message of its own.
        if report.tagged:
            say(f"stopped: {_progress(report, output)}", "yellow")
        raise
    finally:
        if isinstance(sink, StreamSink):
            await asyncio.to_thread(sink.close)
    return sink


async def _open(
    tagger: BatchTagger, contents: Sequence[Content], output: str | None, options: RunOptions
) -> MemorySink | StreamSink:
    if output is None:
        return MemorySink()
    if output == STDOUT:
        return StreamSink(sys.stdout.buffer)
    if Path(output).exists() and not Path(output).is_file():
        raise UsageError(
            "not a regular file, so no run could go on with it", where=output, remedy="use -o - for a stream"
        )
    file = await asyncio.to_thread(
        OutputFile.open,
        Path(output),
        await tagger.fingerprint(),
        {content.id: content for content in contents},
        overwrite=options.overwrite,
        retry_degraded=options.retry_degraded,
    )
    for words in file.dropped.words():
        say(f"{output}: {words}", "yellow")
    return file


def _print_estimate(estimate: CostBounds, count: int) -> None:
    """Print how much a run will ask at most of an LLM that may cost money."""
    if not estimate.llm_calls or estimate.cost == 0:
        return
    cost = "at an unknown price" if estimate.cost is None else f"for ${estimate.cost:.4f}"
    say(
        f"{count:,} contents: at most {estimate.llm_calls:,} LLM calls with {estimate.prompt_tokens:,} prompt and "
        f"{estimate.completion_tokens:,} completion tokens {cost}; answers in the cache are not counted"
    )


def print_input_problems(inputs: InputRows[Any]) -> None:
    """Print the notices of an input, and its first problems."""
    for notice in inputs.notices[:_SHOWN]:
        say(f"note: {notice}")
    if len(inputs.notices) > _SHOWN:
        say(f"note: … and {len(inputs.notices) - _SHOWN:,} more")
    for problem in inputs.problems[:_SHOWN]:
        say(f"set aside: {problem}", "yellow")
    if len(inputs.problems) > _SHOWN:
        say(f"… and {len(inputs.problems) - _SHOWN:,} more set aside", "yellow")


def rejects_folder(output: str | None) -> Path:
    """Return the folder where rows are set aside by default: the output's, or the current one."""
    return Path() if output is None or output == STDOUT else Path(output).parent


def print_outcome(inputs: InputRows[Any], report: RunReport, output: str | None, options: RunOptions) -> bool:
    """Set bad rows and failed contents aside, and print the outcome of the run.

    Returns:
        Whether nothing was set aside and no result is degraded.
    """
    rejects = set_aside(inputs.file, inputs.problems, report.failures, rejects_folder(output), options.rejects)
    for failure in report.failures[:_SHOWN]:
        say(f"no result: {failure.content.id!r}: tagging failed: {in_words(failure.error)}", "yellow")
    if rejects:
        say(f"{len(inputs.problems) + len(report.failures):,} set aside in {', '.join(rejects)}", "yellow")
    if report.degraded:
        ((reason, times),) = report.reasons.most_common(1)
        say(
            f"{report.degraded:,} results are degraded, {times:,} of them for this reason: {reason}\n"
            "tag them again with --retry-degraded",
            "yellow",
        )
    usage = report.usage
    words = f"{report.tagged:,} tagged"
    if usage.llm_calls or usage.cached_answers:
        words += (
            f", {usage.llm_calls:,} LLM calls ({usage.cached_answers:,} more answers from the cache), "
            f"{usage.prompt_tokens:,} prompt and {usage.completion_tokens:,} completion tokens"
        )
    if usage.cost:
        words += f", ${usage.cost:.4f}"
    if output not in (None, STDOUT):
        words += f"; {report.resumed + report.tagged:,} results in {output}"
    say(words)
    return report.whole and not inputs.problems


def sampled(inputs: InputRows[Content], options: RunOptions) -> list[Content]:
    """Return the contents to tag: all, or the sample that the options give."""
    from llm4tag.evaluation.labelled_files import sample_ids

    wanted = sample_ids((content.id for content in inputs.rows), options.limit, options.seed)
    return [content for content in inputs.rows if content.id in wanted]
