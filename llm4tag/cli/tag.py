"""``llm4tag tag``: suggest tags for contents, with confidence and evidence."""

from typing import Annotated

import typer

from llm4tag.cli.console import ExitCode, run_async
from llm4tag.cli.option_groups import grouped
from llm4tag.cli.options import RunOptions, check_outputs
from llm4tag.schema.options import TagOptions


def register(root: typer.Typer) -> None:
    """Add the command to the root."""
    root.command()(tag)


@grouped
def tag(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE|-", help="JSONL, CSV, Parquet or plain text (one content a line); - reads stdin."
        ),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="OUT.jsonl", help="One result a line; - writes to stdout.")
    ],
    options: TagOptions,
    run_options: RunOptions,
) -> None:
    r"""Tag contents: write one JSON result a line, with each candidate's confidence and evidence.

    JSONL has one content a line: {"id", "text"}, and optionally "title".
    Results are written as they are finished. After Ctrl-C, the same command
    goes on where it was; an output file with other settings is refused.

    [bold]Examples[/bold]

    \b
    llm4tag tag new.jsonl --store my.store -o out.jsonl
    llm4tag tag new.csv --store my.store -o out.jsonl --no-llm
    llm4tag tag new.txt -o out.jsonl --model openai/gpt-4.1-mini --max-cost 2
    echo "A game of chess for the terminal" | llm4tag tag - --store my.store -o -
    """
    from llm4tag.batch import RunReport
    from llm4tag.cli.tag_run import (
        print_input_problems,
        print_outcome,
        rejects_folder,
        reporting_progress,
        sampled,
        tag_contents,
    )
    from llm4tag.input_contents import read_input_contents
    from llm4tag.tagger import Tagger

    check_outputs(file, output)
    inputs = read_input_contents(file)
    inputs.require_usable(rejects_folder(output), run_options.rejects)
    print_input_problems(inputs)
    report = RunReport()

    async def work() -> None:
        async with Tagger(**options.model_dump()) as tagger:
            at_once = run_options.concurrency or (await tagger.runtime()).at_once
            await tag_contents(tagger, sampled(inputs, run_options), output, run_options, at_once, report)

    with reporting_progress(report, output):
        run_async(work())
    if not print_outcome(inputs, report, output, run_options):
        raise typer.Exit(ExitCode.PARTIAL)
