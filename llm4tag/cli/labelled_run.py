"""What ``evaluate`` and ``calibrate`` share: the contents of a labelled file, tagged."""

import asyncio
from dataclasses import dataclass

from llm4tag.batch import RunReport
from llm4tag.cli.console import say
from llm4tag.cli.tag_run import rejects_folder, say_inputs, tag_contents
from llm4tag.cli.tagging_options import RunOptions
from llm4tag.evaluation import sample_ids
from llm4tag.evaluation.labelled_files import LabelledContent, narrow
from llm4tag.graphs.context import TagOptions
from llm4tag.input_contents import InputRows, labelled_of
from llm4tag.knowledge_store.query_checks import tags_under
from llm4tag.result_files import MemorySink, OutputFile, ResultSink, read_results
from llm4tag.schema import Content, TagResult, UsageError, Vocabulary
from llm4tag.tagger import Tagger
from llm4tag.tools.recall import allowed_tags


@dataclass(frozen=True)
class TaggedFile:
    """A labelled file with the results of its contents."""

    inputs: InputRows[LabelledContent]
    gold: dict[str, frozenset[str]]
    """By content id, of those in the sample."""
    contents: dict[str, Content]
    """Likewise."""
    results: list[TagResult]
    outside_within: int
    """Gold tags left out because the run is limited to a part of the vocabulary that they are not in."""


async def tag_labelled(
    file: str,
    tagger: Tagger,
    context: TagOptions,
    options: RunOptions,
    output: str | None,
    report: RunReport,
    fewest: int = 1,
) -> TaggedFile:
    """Tag the contents of a labelled file, or a sample of them.

    Args:
        file: contents with their right tags.
        tagger: made with ``context``.
        context: how to tag.
        options: of the run.
        output: where results are kept, to go on with; None: nowhere.
        report: counted in place.
        fewest: how many labelled documents it takes.

    Raises:
        UsageError: nothing, or too little, in the file is usable.
    """
    reader = (await tagger.runtime()).reader
    vocabulary = await reader.store.vocabulary()
    inputs = await asyncio.to_thread(labelled_of, file, vocabulary)
    inputs.require_usable(rejects_folder(output), options.rejects)
    say_inputs(inputs)
    await allowed_tags(reader, context.within)
    labelled, outside = narrowed(file, inputs.rows, context.within, vocabulary)
    wanted = sample_ids((one.content.id for one in labelled), options.limit, options.seed)
    gold = {one.content.id: one.gold for one in labelled if one.content.id in wanted}
    if len(gold) < fewest:
        raise UsageError(f"{file}: {len(gold)} labelled documents, at least {fewest} are needed; label more")
    contents = [one.content for one in labelled if one.content.id in wanted]
    sink = await tag_contents(tagger, contents, output, options, options.concurrency or context.at_once, report)
    by_id = {one.id: one for one in contents}
    return TaggedFile(inputs, gold, by_id, await asyncio.to_thread(_results, sink, gold), outside)


def narrowed(
    file: str, labelled: list[LabelledContent], within: str | None, vocabulary: Vocabulary
) -> tuple[list[LabelledContent], int]:
    """Keep the gold tags under ``within``, and say what was left out."""
    if within is None:
        return labelled, 0
    kept, outside = narrow(labelled, tags_under(vocabulary, within))
    if not kept:
        raise UsageError(f"{file}: no gold tag under {within!r}; give another --within")
    if outside:
        say(f"note: {outside:,} gold tags outside {within!r} left out, {len(kept):,} documents have others")
    return kept, outside


def _results(sink: ResultSink, gold: dict[str, frozenset[str]]) -> list[TagResult]:
    if isinstance(sink, MemorySink):
        return sink.results
    assert isinstance(sink, OutputFile), "results are kept in memory or in a file"
    return [result for result in read_results(sink.path) if result.id in gold]
