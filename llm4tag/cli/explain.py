"""``llm4tag explain``: show why one content has its tags."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llm4tag.cli.console import ExitCode, run_async
from llm4tag.cli.option_groups import grouped
from llm4tag.schema.options import TagOptions

if TYPE_CHECKING:
    from rich.console import RenderableType

    from llm4tag.schema import Content, TagResult


def register(root: typer.Typer) -> None:
    """Add the command to the root."""
    root.command()(explain)


@grouped
def explain(
    options: TagOptions,
    content: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT|FILE|-", help="A text, - for stdin, or with --id the file that the content is in."
        ),
    ] = None,
    content_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Id of a content of the file.", show_default=False)
    ] = None,
    result_file: Annotated[
        Path | None,
        typer.Option(
            "--result",
            metavar="OUT.jsonl",
            help="Output file that has the result of --id; nothing is tagged again.",
            show_default=False,
        ),
    ] = None,
    show: Annotated[int, typer.Option("--show", min=1, help="How many tags to show, best first.")] = 10,
) -> None:
    r"""Tag one content, or take its result from an output file, and show the evidence for each tag.

    [bold]Examples[/bold]

    \b
    llm4tag explain "A game of chess for the terminal" --store my.store
    llm4tag explain new.jsonl --id deb:gnuchess --store my.store --no-llm
    llm4tag explain --result out.jsonl --id deb:gnuchess --store my.store
    """
    from rich.console import Console

    result, drawn = run_async(_explain(options, content, content_id, result_file, show))
    Console(highlight=False).print(drawn)
    if result.degraded is not None:
        raise typer.Exit(ExitCode.PARTIAL)


async def _explain(
    options: TagOptions, content: str | None, content_id: str | None, result_file: Path | None, show: int
) -> "tuple[TagResult, RenderableType]":
    from llm4tag.cli.result_table import draw_result
    from llm4tag.evidence_words import neighbour_ids
    from llm4tag.tagger import Tagger

    if result_file is not None:
        options = options.model_copy(update={"use_llm": False})
    async with Tagger(**options.model_dump()) as tagger:
        if result_file is not None:
            result = await asyncio.to_thread(_result_of, result_file, content, content_id)
        else:
            result = await tagger.atag(await asyncio.to_thread(_content_of, content, content_id))
        store = (await tagger.runtime()).store
        tags = result.tags[:show]
        neighbours = {one.id: one for one in await store.get_contents(neighbour_ids(tags))}
        return result, draw_result(result, tags, neighbours, await store.vocabulary())


def _result_of(path: Path, content: str | None, content_id: str | None) -> "TagResult":
    from llm4tag.result_files import read_results
    from llm4tag.schema import UsageError

    if content is not None:
        raise UsageError("a content and a file of results were given", remedy="give one of them")
    if content_id is None:
        raise UsageError("one of its results is to be explained", where=path, remedy="name it with {id}")
    for result in read_results(path):
        if result.id == content_id:
            return result
    raise UsageError(f"no result of {content_id!r}", where=path, remedy="check {id}")


def _content_of(content: str | None, content_id: str | None) -> "Content":
    from llm4tag.knowledge_store.ingest.contents import text_id
    from llm4tag.knowledge_store.ingest.input_formats import has_format
    from llm4tag.schema import Content, UsageError

    if content is None:
        raise UsageError("nothing to explain", remedy="give a text, a file with {id}, or {result} with {id}")
    if content_id is not None:
        return _row_of(content, content_id)
    text = sys.stdin.read() if content == "-" else content
    if not text.strip():
        raise UsageError("the text is blank", remedy="give some words")
    if "\n" not in text and len(text) < 1024 and Path(text).is_file():
        raise UsageError("is a file", where=text, remedy="name one of its contents with {id}")
    if content != "-" and len(text.split()) == 1 and has_format(text):
        raise UsageError(
            "no such file", where=text, remedy="check the path (to tag the name itself, give it on stdin with -)"
        )
    return Content(id=text_id("", text), text=text)


def _row_of(file: str, content_id: str) -> "Content":
    from llm4tag.input_contents import read_input_contents
    from llm4tag.schema import UsageError

    inputs = read_input_contents(file)
    inputs.require_usable()
    for content in inputs.rows:
        if content.id == content_id:
            return content
    raise UsageError(f"no content {content_id!r}", where=file, remedy="check {id}")
