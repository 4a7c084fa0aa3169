"""Tagging the contents of a labelled file, as ``evaluate`` and ``calibrate`` do it."""

import asyncio
from dataclasses import dataclass

from llm4tag.batch import RunReport
from llm4tag.cli.console import say
from llm4tag.cli.options import RunOptions
from llm4tag.cli.tag_run import print_input_problems, rejects_folder, tag_contents
from llm4tag.evaluation import sample_ids
from llm4tag.evaluation.labelled_files import LabelledContent, narrow
from llm4tag.input_contents import InputRows, read_labelled_contents
from llm4tag.knowledge_store.query_checks import tags_under
from llm4tag.result_files import MemorySink, OutputFile, ResultSink, read_results
from llm4tag.schema import Content, TagResult, UsageError, Vocabulary
from llm4tag.schema.options import TagOptions
from llm4tag.tagger import Tagger


@dataclass(frozen=True)
class TaggedFile:
    """A labelled file with the results of its contents."""

    inputs: InputRows[LabelledContent]
    gold: dict[str, frozenset[str]]
    """The gold tags of each content of the sample, by content id."""
    contents: dict[str, Content]
    """The contents of the sample, by id."""
    results: list[TagResult]
    outside_within: int
    """Number of gold tags that were left out, as they are not under ``within``."""


async def tag_labelled(
    file: str,
    tagger: Tagger,
    options: TagOptions,
    run_options: RunOptions,
    output: str | None,
    report: RunReport,
    fewest: int = 1,
) -> TaggedFile:
    """Tag the contents of a labelled file, or a sample of them.

    Args:
        file: contents with their gold tags.
        tagger: made with ``options``.
        options: how to tag.
        run_options: how the run proceeds.
        output: file of results, with which the run goes on; None: they are held in memory.
        report: changed in place, to count what is done.
        fewest: number of labelled documents that are needed.

    Raises:
        UsageError: no row of the file, or too few, can be used.
    """
    runtime = await tagger.runtime()
    vocabulary = await runtime.store.vocabulary()
    inputs = await asyncio.to_thread(read_labelled_contents, file, vocabulary)
    inputs.require_usable(rejects_folder(output), run_options.rejects)
    print_input_problems(inputs)
    labelled, outside = narrow_labels(file, inputs.rows, options.within, vocabulary)
    wanted = sample_ids((one.content.id for one in labelled), run_options.limit, run_options.seed)
    gold = {one.content.id: one.gold for one in labelled if one.content.id in wanted}
    if len(gold) < fewest:
        raise UsageError(
            f"{len(gold)} labelled documents, at least {fewest} are needed", where=file, remedy="label more"
        )
    contents = [one.content for one in labelled if one.content.id in wanted]
    sink = await tag_contents(
        tagger, contents, output, run_options, run_options.concurrency or runtime.at_once, report
    )
    by_id = {one.id: one for one in contents}
    return TaggedFile(inputs, gold, by_id, await asyncio.to_thread(_results, sink, gold), outside)


def narrow_labels(
    file: str, labelled: list[LabelledContent], within: str | None, vocabulary: Vocabulary
) -> tuple[list[LabelledContent], int]:
    """Return the documents with their gold tags under ``within``, and how many gold tags were left out.

    Raises:
        UsageError: no gold tag is under it.
    """
    if within is None:
        return labelled, 0
    narrowed, outside = narrow(labelled, tags_under(vocabulary, within))
    if not narrowed:
        raise UsageError(f"no gold tag is under {within!r}", where=file, remedy="give another {within}")
    if outside:
        say(
            f"note: {outside:,} gold tags that are not under {within!r} are left out; {len(narrowed):,} documents "
            "have others"
        )
    return narrowed, outside


def _results(sink: ResultSink, gold: dict[str, frozenset[str]]) -> list[TagResult]:
    if isinstance(sink, MemorySink):
        return sink.results
    assert isinstance(sink, OutputFile), "results are in memory or in a file"
    return [result for result in read_results(sink.path) if result.id in gold]
