"""Help texts from docstrings, wrapped to the terminal rather than as the source is."""

import inspect
from collections.abc import Callable
from typing import Any

import typer

_AS_IT_STANDS = "\\b\n"


def wrap_help(app: typer.Typer) -> None:
    r"""Join the lines of each paragraph of all commands' help; those that begin with ``\b`` keep their lines."""
    if app.registered_callback is not None:
        app.registered_callback.help = _joined(app.registered_callback.callback)
    for command in app.registered_commands:
        command.help = _joined(command.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            wrap_help(group.typer_instance)


def _joined(callback: Callable[..., Any] | None) -> str:
    paragraphs = (inspect.getdoc(callback) or "").split("\n\n")
    return "\n\n".join(
        paragraph.removeprefix(_AS_IT_STANDS)
        if paragraph.startswith(_AS_IT_STANDS)
        else paragraph.replace("\n", " ")
        for paragraph in paragraphs
    )
