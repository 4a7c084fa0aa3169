"""``llm4tag report``: a page with charts and figures of how good results are."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llm4tag.cli.console import ExitCode, progress_bar, run_async, say

if TYPE_CHECKING:
    from llm4tag.evaluation.labelled_files import LabelledContent
    from llm4tag.input_contents import InputRows
    from llm4tag.knowledge_store.protocol import KnowledgeStore
    from llm4tag.reporting.report_files import EvaluatedResults, ReportOutputs
    from llm4tag.schema import TagResult, Vocabulary


def register(root: typer.Typer) -> None:
    """Add the command to the root."""
    root.command()(report)


def report(
    results: Annotated[
        Path,
        typer.Argument(metavar="RESULTS.jsonl", help="What evaluate or tag wrote with -o.", show_default=False),
    ],
    labels: Annotated[
        str,
        typer.Option(
            "--labels", metavar="FILE", help="The labelled file, as evaluate takes it: columns id, text and tags."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="OUT.html", help="Where the page goes.")] = Path(
        "report.html"
    ),
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            envvar="LLM4TAG_STORE",
            metavar="STORE",
            help="The store. Default: the one that the results were made with.",
            show_default=False,
        ),
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option("--png", metavar="DIR", help="Write the charts as PNG files here too.", show_default=False),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            metavar="OUT.json",
            help="Write all figures here, with every missed and every wrong tag and its evidence.",
            show_default=False,
        ),
    ] = None,
    rows: Annotated[
        int, typer.Option(min=0, help="Number of wrong tags, and of missed tags of each stage, on the page.")
    ] = 50,
) -> None:
    r"""Write a page that shows how good results are, in one file.

    It shows how reliable the confidences are, how many tags can be accepted without
    review at which error, how good each signal is, how rare tags fare, where gold tags
    are lost, and the wrong tags with their evidence.
    Needs matplotlib: pip install 'llm4tag\[report]'.

    [bold]Examples[/bold]

    \b
    llm4tag evaluate dev.jsonl --store my.store -o results.jsonl
    llm4tag report results.jsonl --labels dev.jsonl --out report.html
    llm4tag report results.jsonl --labels dev.jsonl --png charts/ --json report.json
    llm4tag evaluate dev.jsonl --store my.store --report report.html
    """
    from llm4tag.reporting.report_files import ReportOutputs
    from llm4tag.schema import UsageError

    if labels == "-":
        raise UsageError("labels are read from a file", option="labels", remedy="give its name")
    outputs = ReportOutputs(out, png, json_file, rows)
    outputs.check()
    for path in filter(None, (out, json_file)):
        if path.absolute() in (results.absolute(), Path(labels).absolute()):
            raise UsageError("is an input", where=path, remedy="give another file to write to")
    try:
        inputs = run_async(_report(results, labels, store, outputs))
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt("no report was written; run the same command again") from error
    say(f"the report is in {out}")
    if inputs.problems:
        raise typer.Exit(ExitCode.PARTIAL)


async def _report(
    file: Path, labels: str, store: str | None, outputs: "ReportOutputs"
) -> "InputRows[LabelledContent]":
    from llm4tag.cli.tag_run import print_input_problems
    from llm4tag.input_contents import read_labelled_contents
    from llm4tag.knowledge_store.stores import open_store
    from llm4tag.reporting.report_files import write_report

    settings = await asyncio.to_thread(_settings, file)
    async with await open_store(_location(file, store, settings)) as opened:
        inputs = await asyncio.to_thread(read_labelled_contents, labels, await opened.vocabulary())
        inputs.require_usable()
        print_input_problems(inputs)
        judged = await _judged(file, labels, inputs, opened, settings)
        for note in judged.notes:
            say(f"note: {note}", "yellow")
        with progress_bar("measuring", unit="signals") as bar:
            await write_report(judged, opened, outputs, [Path(labels), file], bar)
    return inputs


def _settings(file: Path) -> dict[str, str | None]:
    from llm4tag.result_files import read_settings

    return read_settings(file) or {}


def _location(file: Path, store: str | None, settings: dict[str, str | None]) -> str:
    from llm4tag.schema import UsageError

    found = store or settings.get("store")
    if found is None:
        raise UsageError("which store it was made with is not known", where=file, remedy="give {store}")
    return found


async def _judged(
    file: Path,
    labels: str,
    inputs: "InputRows[LabelledContent]",
    store: "KnowledgeStore",
    settings: dict[str, str | None],
) -> "EvaluatedResults":
    """Match results with labels, and measure them."""
    from llm4tag.cli.labelled_run import narrow_labels
    from llm4tag.evaluation import evaluate, history_counts
    from llm4tag.reporting.report_files import EvaluatedResults
    from llm4tag.result_files import read_results
    from llm4tag.schema import UsageError

    vocabulary = await store.vocabulary()
    labelled, outside = narrow_labels(labels, inputs.rows, settings.get("within"), vocabulary)
    by_id = {one.content.id: one for one in labelled}
    every = {result.id: result for result in await asyncio.to_thread(lambda: list(read_results(file)))}
    results = [result for result in every.values() if result.id in by_id]
    if not results:
        raise UsageError(
            f"none of its {len(every):,} results has labels in {labels}", where=file, remedy="check the ids"
        )
    evaluation = await asyncio.to_thread(
        evaluate,
        results,
        gold := {result.id: by_id[result.id].gold for result in results},
        vocabulary.assignable,
        await history_counts(store),
        outside_within=outside,
        settings=settings,
    )
    contents = {result.id: by_id[result.id].content for result in results}
    notes = _notes(results, by_id, len(every), vocabulary)
    return EvaluatedResults(results, contents, gold, evaluation, notes)


def _notes(
    results: "list[TagResult]", labelled: "dict[str, LabelledContent]", every: int, vocabulary: "Vocabulary"
) -> list[str]:
    """Return notes on results and labels that do not match."""
    changed = sum(result.origin.content not in ("", labelled[result.id].content.digest) for result in results)
    elsewhere = sum(result.origin.vocabulary != vocabulary.version for result in results)
    counted = {
        "labelled documents have no result and are in no figure": len(labelled) - len(results),
        "results have no labels and are in no figure": every - len(results),
        "results are of another text than the labelled file has": changed,
        "results were made with another version of the vocabulary": elsewhere,
    }
    return [f"{count:,} {words}" for words, count in counted.items() if count]
