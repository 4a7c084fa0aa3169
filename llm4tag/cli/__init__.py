"""The command line, ``llm4tag``. Before a command runs, only typer, rich and ``llm4tag.schema`` are imported."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

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

_VERBATIM = "\\b\n"
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


def _wrap_help(commands: typer.Typer) -> None:
    r"""Take the help of all commands from their docstrings, wrapped to the terminal rather than as the source is.

    The lines of each paragraph are joined; a paragraph that begins with ``\b`` keeps its lines.
    """
    if commands.registered_callback is not None:
        commands.registered_callback.help = _joined(commands.registered_callback.callback)
    for command in commands.registered_commands:
        command.help = _joined(command.callback)
    for group in commands.registered_groups:
        if group.typer_instance is not None:
            _wrap_help(group.typer_instance)


def _joined(callback: Callable[..., Any] | None) -> str:
    paragraphs = (inspect.getdoc(callback) or "").split("\n\n")
    return "\n\n".join(
        paragraph.removeprefix(_VERBATIM) if paragraph.startswith(_VERBATIM) else paragraph.replace("\n", " ")
        for paragraph in paragraphs
    )


for commands in (
    *(ingest, tag, evaluate, calibrate, report, explain, accept),
    *(serve, keys, store, model, train, profiles, demo),
):
    commands.register(app)
_wrap_help(app)


def main() -> None:
    """Run the command line."""
    app()
