"""Options that several commands share."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llm4tag.cli.option_groups import help_text
from llm4tag.schema.candidate import Path as RecallPath
from llm4tag.schema.errors import UsageError
from llm4tag.schema.settings import variable_of

if TYPE_CHECKING:
    from rich.console import RenderableType

_RUN = "The run"

StoreOption = Annotated[
    str,
    typer.Option("--store", envvar=variable_of("store"), metavar="STORE", help=help_text("store", bound=True)),
]
EmbeddingOption = Annotated[
    str | None,
    typer.Option(
        "--embedding",
        envvar=variable_of("embedding"),
        metavar="NAME|none",
        help=help_text("embedding", bound=True),
        show_default=False,
    ),
]
WithoutOption = Annotated[
    list[RecallPath] | None,
    typer.Option("--without", metavar="|".join(RecallPath), help=help_text("without"), show_default=False),
]
RejectsOption = Annotated[
    Path | None,
    typer.Option(
        "--rejects",
        metavar="FILE",
        help="Where rows that cannot be used are set aside. Default: <input>.rejected.jsonl next to the store.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class RunOptions:
    """How a run over many contents proceeds; results do not depend on it."""

    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=256,
            help="Contents to work at together. Default: 8; 1 with a local model; 2 without an LLM.",
            show_default=False,
            rich_help_panel=_RUN,
        ),
    ] = None
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Only a sample: the N contents whose SEED:ID have the lowest sha256.",
            show_default=False,
            rich_help_panel=_RUN,
        ),
    ] = None
    seed: Annotated[int, typer.Option(help="Seed of the sample.", rich_help_panel=_RUN)] = 0
    max_cost: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="USD",
            help="Do not start, or stop, when the LLM costs more. Contents that are begun are finished.",
            show_default=False,
            rich_help_panel=_RUN,
        ),
    ] = None
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace the output file instead of going on with it.", rich_help_panel=_RUN
        ),
    ] = False
    retry_degraded: Annotated[
        bool,
        typer.Option(
            "--retry-degraded", help="Tag the contents again whose results are degraded.", rich_help_panel=_RUN
        ),
    ] = False
    rejects: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where rows that cannot be used are set aside. Default: <input>.rejected.jsonl next to "
            "the output.",
            show_default=False,
            rich_help_panel=_RUN,
        ),
    ] = None


@dataclass(frozen=True)
class OutputOptions:
    """Where the figures of a labelled file go, and the results that they are measured on."""

    json_file: Annotated[
        str | None,
        typer.Option("--json", metavar="OUT.json", help="Write the figures here; - writes to stdout."),
    ] = None
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="OUT.jsonl", help="Save the results, and go on with those there."),
    ] = None

    def check(self, file: str, *others: str | None) -> None:
        """Refuse files that could not be written, before anything is done.

        Raises:
            UsageError: one of them could not.
        """
        if self.output == "-":
            raise UsageError("results are saved in a file", option="output", remedy="give its name")
        check_outputs(file, self.json_file, self.output, *others)

    def show(self, figures: str, drawn: "RenderableType") -> None:
        """Write the figures as JSON where wanted, and draw them; on stderr where the JSON is on stdout."""
        from rich.console import Console

        if self.json_file == "-":
            typer.echo(figures)
        elif self.json_file is not None:
            Path(self.json_file).write_text(figures + "\n", encoding="utf-8")
        Console(stderr=self.json_file == "-", highlight=False).print(drawn)


def check_outputs(file: str, *outputs: str | None) -> None:
    """Refuse outputs that would replace the input or that have no folder, before anything is done.

    Raises:
        UsageError: an output cannot be written.
    """
    for path in outputs:
        if path is None or path == "-":
            continue
        if not Path(path).absolute().parent.is_dir():
            raise UsageError(f"there is no folder {Path(path).parent}", where=path, remedy="make it first")
        if Path(path).absolute() == Path(file).absolute():
            raise UsageError("is the input", where=path, remedy="give another file to write to")
