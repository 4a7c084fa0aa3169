"""The command line: ``llm4tag``. Only typer and rich are imported before a command runs."""

from typing import Annotated

import typer

from llm4tag.cli import (
    accept,
    calibrate,
    demo,
    evaluate,
    explain,
    ingest,
    keys,
    model,
    profiles,
    report,
    serve,
    store,
    tag,
    train,
)
from llm4tag.cli.console import Root
from llm4tag.cli.help_text import wrap_help

app = typer.Typer(
    name="llm4tag",
    cls=Root,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"llm4tag {version('llm4tag')}")
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where an error happened (also LLM4TAG_DEBUG=1).")
    ] = False,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Tag texts with the tags of a closed vocabulary, each with a confidence and its evidence.

    Exit codes: 0 done; 1 the store or the model failed; 2 wrong use, or nothing usable in the input; 3 done, with
    rows set aside or degraded results; 130 interrupted.
    """


for commands in (
    *(ingest, tag, evaluate, calibrate, report, explain, accept),
    *(serve, keys, store, model, train, profiles, demo),
):
    commands.register(app)
wrap_help(app)


def main() -> None:
    """Run the command line."""
    app()
