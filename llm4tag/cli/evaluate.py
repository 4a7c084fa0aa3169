"""``llm4tag evaluate``: measure tags against the labels of people."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llm4tag.cli.console import ExitCode, progress_bar, run_async, say
from llm4tag.cli.option_groups import grouped
from llm4tag.cli.options import OutputOptions, RunOptions
from llm4tag.schema.options import TagOptions

if TYPE_CHECKING:
    from llm4tag.batch import RunReport
    from llm4tag.evaluation import Evaluation
    from llm4tag.evaluation.labelled_files import LabelledContent
    from llm4tag.input_contents import InputRows

_DEEPEST = 50
"""The deepest metric is recall@50."""


def register(root: typer.Typer) -> None:
    """Add the command to the root."""
    root.command()(evaluate)


@grouped
def evaluate(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="JSONL, CSV or Parquet with the columns id, text and tags.")
    ],
    options: TagOptions,
    run_options: RunOptions,
    outputs: OutputOptions,
    page: Annotated[
        str | None,
        typer.Option("--report", metavar="OUT.html", help="Write a page of figures here, as llm4tag report does."),
    ] = None,
) -> None:
    r"""Tag the contents of a labelled file and measure the tags against the labels.

    Labels that the vocabulary lacks count as never found. Answers of the LLM are
    cached, so that a run that was stopped asks nothing twice.

    [bold]Examples[/bold]

    \b
    llm4tag evaluate dev.jsonl --store my.store --no-llm --json recall.json
    llm4tag evaluate dev.jsonl --store my.store --limit 60 --json llm.json
    llm4tag evaluate dev.jsonl --store my.store -o results.jsonl --report report.html
    """
    from llm4tag.batch import RunReport
    from llm4tag.cli.tag_run import print_outcome, reporting_progress
    from llm4tag.evaluation.evaluation_table import draw
    from llm4tag.reporting.report_files import ReportOutputs

    outputs.check(file, page)
    if page is not None:
        ReportOutputs(Path(page)).check()
    if options.top < _DEEPEST:
        say(f"note: recall@{_DEEPEST} counts only {options.top} tags, because of --top {options.top}", "yellow")
    report = RunReport()
    with reporting_progress(report, outputs.output):
        inputs, evaluation = run_async(_evaluate(file, options, run_options, outputs.output, page, report))
    outputs.show(evaluation.to_json(), draw(evaluation))
    whole = print_outcome(inputs, report, outputs.output, run_options)
    if page is not None:
        say(f"the report is in {page}")
    elif outputs.output is not None and file != "-":
        say(f"to see the figures as a page: llm4tag report {outputs.output} --labels {file}")
    if not whole:
        raise typer.Exit(ExitCode.PARTIAL)


async def _evaluate(
    file: str,
    options: TagOptions,
    run_options: RunOptions,
    output: str | None,
    page: str | None,
    report: "RunReport",
) -> "tuple[InputRows[LabelledContent], Evaluation]":
    """Tag the labelled contents and measure the results."""
    from llm4tag.cli.labelled_run import tag_labelled
    from llm4tag.evaluation import evaluate as measured
    from llm4tag.evaluation import history_counts
    from llm4tag.reporting.report_files import EvaluatedResults, ReportOutputs, write_report
    from llm4tag.tagger import Tagger

    async with Tagger(**options.model_dump()) as tagger:
        tagged = await tag_labelled(file, tagger, options, run_options, output, report)
        store = (await tagger.runtime()).store
        evaluation = measured(
            tagged.results,
            tagged.gold,
            (await store.vocabulary()).assignable,
            await history_counts(store),
            outside_within=tagged.outside_within,
            failed=len(report.failures),
            settings=await tagger.fingerprint(),
            sample=None if run_options.limit is None else {"limit": run_options.limit, "seed": run_options.seed},
        )
        if page is not None:
            judged = EvaluatedResults(tagged.results, tagged.contents, tagged.gold, evaluation)
            with progress_bar("measuring", unit="signals") as bar:
                await write_report(judged, store, ReportOutputs(Path(page)), _sources(file, output), bar)
        return tagged.inputs, evaluation


def _sources(file: str, output: str | None) -> list[Path]:
    """Return the files that the figures are measured on, the labelled one first."""
    return [Path("stdin" if file == "-" else file), *([] if output is None else [Path(output)])]
