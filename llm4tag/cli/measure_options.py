"""Options of the commands that measure a labelled file: where figures and results go."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class KeepOptions:
    """Where the figures of a labelled file go, and the results they rest on."""

    json_file: Annotated[
        str | None,
        typer.Option("--json", metavar="OUT.json", help="Write the figures here; - writes to stdout."),
    ] = None
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="OUT.jsonl", help="Keep the results, and go on with those there."),
    ] = None

    def check(self, file: str, *others: str | None) -> None:
        """Refuse what could not be written, before anything is done.

        Raises:
            UsageError: naming the output.
        """
        from llm4tag.cli.tag_run import check_outputs
        from llm4tag.schema import UsageError

        if self.output == "-":
            raise UsageError("-o -: results are kept in a file; give its name")
        check_outputs(file, self.json_file, self.output, *others)

    def show(self, figures: str, drawn: "RenderableType") -> None:
        """Write the figures as JSON where wanted, and draw them; on stderr where the JSON is on stdout."""
        from rich.console import Console

        if self.json_file == "-":
            typer.echo(figures)
        elif self.json_file is not None:
            Path(self.json_file).write_text(figures + "\n", encoding="utf-8")
        Console(stderr=self.json_file == "-", highlight=False).print(drawn)
