"""``llm4tag tag``: contents in, tags with confidence and evidence out."""

from typing import Annotated

import typer

from llm4tag.cli.console import ExitCode, run_async
from llm4tag.cli.option_groups import grouped
from llm4tag.cli.tagging_options import RunOptions, TaggerOptions


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
    tagging: TaggerOptions,
    options: RunOptions,
) -> None:
    r"""Tag contents: one JSON result a line, as they finish, with every candidate's confidence and evidence.

    JSONL has one content a line: {"id", "text"}, and optionally "title".
    Ctrl-C keeps what is done, and the same command goes on from there; an
    output file made under other settings is refused.

    [bold]Examples[/bold]

    \b
    llm4tag tag new.jsonl --store my.store -o out.jsonl
    llm4tag tag new.csv --store my.store -o out.jsonl --no-llm
    llm4tag tag new.txt -o out.jsonl --model openai/gpt-4.1-mini --max-cost 2
    echo "A game of chess for the terminal" | llm4tag tag - --store my.store -o -
    """
    from llm4tag.batch import RunReport
    from llm4tag.cli.tag_run import (
        check_outputs,
        rejects_folder,
        sampled,
        say_inputs,
        say_outcome,
        tag_contents,
        telling_what_is_kept,
    )
    from llm4tag.input_contents import contents_of
    from llm4tag.tagger import Tagger

    check_outputs(file, output)
    context = tagging.context()
    inputs = contents_of(file)
    inputs.require_usable(rejects_folder(output), options.rejects)
    say_inputs(inputs)
    report = RunReport()

    async def work() -> None:
        async with Tagger(**context.model_dump()) as tagger:
            at_once = options.concurrency or context.at_once
            await tag_contents(tagger, sampled(inputs, options), output, options, at_once, report)

    with telling_what_is_kept(report, output):
        run_async(work())
    if not say_outcome(inputs, report, output, options):
        raise typer.Exit(ExitCode.PARTIAL)
