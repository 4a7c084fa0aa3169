"""What all commands share: exit codes, messages, errors, progress."""

import inspect
import os
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup
from typer.exceptions import TyperException

from llm4tag.schema.text import printable

if TYPE_CHECKING:
    pass

T = TypeVar("T")

DEBUG_VARIABLE = "LLM4TAG_DEBUG"


class ExitCode(IntEnum):
    """How a command ends."""

    DONE = 0
    FAILED = 1
    """The store or the model failed."""
    USAGE = 2
    """Wrong use, or nothing usable in the input."""
    PARTIAL = 3
    """Done, with rows set aside or degraded results."""
    INTERRUPTED = 130


def say(message: str, style: str = "") -> None:
    """Print a message on stderr."""
    Console(stderr=True).print(Text(printable(message), style=style), soft_wrap=True)


def fail(message: str) -> None:
    """Print an error on stderr."""
    say(f"error: {message}", "red")


class Root(TyperGroup):
    """The root command: every error ends here, as one clear message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, TyperException):
            raise
        except KeyboardInterrupt as error:
            say(
                f"interrupted: {str(error) or 'what is done is saved; run the same command again to go on'}",
                "yellow",
            )
            raise typer.Exit(ExitCode.INTERRUPTED) from error
        except BrokenPipeError:
            # The reader of the output has closed it; typer ends quietly.
            raise
        except Exception as error:
            raise typer.Exit(_report_error(error, bool(ctx.params.get("debug")))) from error


def _report_error(error: Exception, debug: bool) -> int:
    from llm4tag.cli.error_words import in_words
    from llm4tag.schema import Llm4tagError

    if debug or os.environ.get(DEBUG_VARIABLE, "") not in ("", "0"):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, Llm4tagError):
        fail(in_words(error))
        return error.exit_code
    fail(
        f"unexpected {type(error).__name__}: {error}\n"
        f"this is a defect of llm4tag; {DEBUG_VARIABLE}=1 shows where it happened"
    )
    return ExitCode.FAILED


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; Ctrl-C cancels it and then raises KeyboardInterrupt."""
    try:
        import asyncio

        return asyncio.run(work)
    finally:
        if inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
            # Ctrl-C came before it had begun; Python would warn that nobody awaited it.
            work.close()


class Bar:
    """Counts finished items, and shows them when stderr is a terminal; it is called with a number of items."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self, count: int) -> None:
        """Count finished items."""
        self.done += count

    def label(self, text: str) -> None:
        """Change the text that says what is going on."""


@contextmanager
def progress_bar(label: str, total: int | None = None, unit: str = "rows") -> Iterator[Bar]:
    """Show a progress bar on stderr if that is a terminal; Ctrl-C inside says how much was done.

    Args:
        label: what is going on.
        total: number of items, if it is known.
        unit: plural of what the items are called.

    Yields:
        A ``Bar``, to be called with the number of items just finished.
    """
    bar = Bar()
    try:
        if sys.stderr.isatty():
            yield from _shown(bar, label, total, unit)
        else:
            yield bar
    except KeyboardInterrupt as error:
        # One more batch may have been written that is not counted.
        raise KeyboardInterrupt(
            f"at least {bar.done:,} {unit} are done and saved; run the same command again to go on"
        ) from error


def _shown(bar: Bar, label: str, total: int | None, unit: str) -> Iterator[Bar]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} " + unit),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total)
        shown = _ShownBar(progress, task)
        try:
            yield shown
        finally:
            bar.done = shown.done


class _ShownBar(Bar):
    def __init__(self, progress: Any, task: Any) -> None:
        super().__init__()
        self._progress = progress
        self._task = task

    def __call__(self, count: int) -> None:
        super().__call__(count)
        self._progress.advance(self._task, count)

    def label(self, text: str) -> None:
        """Change the text that says what is going on."""
        self._progress.update(self._task, description=text)
