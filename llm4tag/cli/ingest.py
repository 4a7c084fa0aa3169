"""``llm4tag ingest``: read vocabularies, tagged history and background knowledge into a store."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from llm4tag.cli.console import ExitCode, progress_bar, run_async
from llm4tag.cli.options import EmbeddingOption, RejectsOption, StoreOption
from llm4tag.cli.store_work import print_report

if TYPE_CHECKING:
    from llm4tag.knowledge_store.ingest.ingest_report import IngestReport
    from llm4tag.knowledge_store.protocol import KnowledgeStore
    from llm4tag.models.embedder import Progress

app = typer.Typer(
    no_args_is_help=True,
    help="Fill a store: a vocabulary first, then tagged history and knowledge.",
    rich_markup_mode="rich",
)


def register(root: typer.Typer) -> None:
    """Add the commands to the root."""
    root.add_typer(app, name="ingest")


def _ingest(
    location: str,
    embedding: str | None,
    label: str,
    files: Sequence[str],
    work: "Callable[[KnowledgeStore, Progress], Awaitable[IngestReport]]",
    *,
    check: Callable[[], None] | None = None,
) -> "IngestReport":
    """Open the store, do the work under a progress bar, and print its report.

    Args:
        location: of the store.
        embedding: what the store is filled with, or is to be filled with.
        label: what the progress bar says.
        files: their rows are counted, for the progress bar.
        work: writes to the store.
        check: checks the input before a missing store is made; None: a missing store is an error.
    """
    from llm4tag.cli.store_work import open_or_make
    from llm4tag.knowledge_store.ingest.row_files import count_rows
    from llm4tag.knowledge_store.stores import open_store

    async def run(progress: "Progress") -> "IngestReport":
        opening = (
            open_store(location, embedding=embedding)
            if check is None
            else open_or_make(location, embedding, check=check)
        )
        async with await opening as store:
            return await work(store, progress)

    with progress_bar(label, count_rows(files) or None) as bar:
        report = run_async(run(bar))
    print_report(report)
    return report


def _exit_with(report: "IngestReport") -> None:
    """Exit with a code that says whether all rows could be used."""
    if not report.flawless:
        raise typer.Exit(ExitCode.PARTIAL)


@app.command()
def vocabulary(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE…", help="JSONL, CSV, Parquet or SKOS (.ttl .rdf .xml .owl .nt .jsonld)."),
    ],
    store: StoreOption,
    groups: Annotated[
        list[str] | None,
        typer.Option(
            "--groups",
            metavar="FILE",
            help="Groups: parents of tags that are never given to a content. May be given several times.",
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Retire the tags that no file has: they are never suggested, and stay in the history.",
        ),
    ] = False,
    language: Annotated[str, typer.Option("--language", help="Language of the names taken from SKOS.")] = "en",
    embedding: EmbeddingOption = None,
    rejects: RejectsOption = None,
) -> None:
    r"""Ingest the tags of a closed vocabulary.

    JSONL has one tag a line: {"id", "name", "description", "aliases", "parents"}; id and name are required. In CSV
    these are columns, and the lists are separated by |.

    [bold]Examples[/bold]

    \b
    llm4tag ingest vocabulary tags.jsonl --groups tag_groups.jsonl --store my.store
    llm4tag ingest vocabulary thesaurus.ttl --language de --store my.store
    llm4tag ingest vocabulary tags.csv --replace --store my.store
    """

    async def work(opened: "KnowledgeStore", progress: "Progress") -> "IngestReport":
        from llm4tag.knowledge_store.ingest.ingest_run import ingest_vocabulary

        return await ingest_vocabulary(
            opened,
            files,
            groups=groups or (),
            replace=replace,
            language=language,
            rejects=rejects,
            progress=progress,
        )

    def check() -> None:
        from llm4tag.knowledge_store.ingest.ingest_run import check_vocabulary

        check_vocabulary(files, groups or ())

    _exit_with(_ingest(store, embedding, "tags", [*files, *(groups or ())], work, check=check))


@app.command()
def history(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="JSONL, CSV or Parquet; - reads JSONL from stdin.")
    ],
    store: StoreOption,
    embedding: EmbeddingOption = None,
    fit: Annotated[
        bool | None,
        typer.Option(
            "--fit/--no-fit",
            help="Fit recall on the history afterwards. Default: where there is enough history and no fit yet, "
            "or a fit on much less history.",
            show_default=False,
        ),
    ] = None,
    rejects: RejectsOption = None,
) -> None:
    r"""Ingest contents that have tags already, and fit recall on them.

    JSONL has one content a line: {"id", "text", "tags"}, and optionally "title", "provenance" (human or model),
    "confidence" and "time". Tags are named by their id, or by a name or alias that only one tag has. Tags that the
    vocabulary lacks are reported and set aside; the rest of the row is stored.

    [bold]Examples[/bold]

    \b
    llm4tag ingest history history.jsonl --store my.store
    llm4tag ingest history 2025.csv 2026.parquet --store my.store --rejects bad.jsonl
    """

    async def work(opened: "KnowledgeStore", progress: "Progress") -> "IngestReport":
        from llm4tag.knowledge_store.ingest.ingest_run import ingest_history

        return await ingest_history(opened, files, rejects=rejects, progress=progress)

    from llm4tag.cli.store_work import fit_after_ingest

    report = _ingest(store, embedding, "contents", files, work)
    if fit is not False:
        fit_after_ingest(store, always=fit is True)
    _exit_with(report)


@app.command()
def knowledge(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH…", help="JSONL, text, Markdown or HTML files, or folders of them."),
    ],
    store: StoreOption,
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove the passages of files that are no longer in their folder.")
    ] = False,
    chunk_size: Annotated[int, typer.Option("--chunk-size", min=16, help="Tokens of a passage at most.")] = 256,
    chunk_overlap: Annotated[
        int, typer.Option("--chunk-overlap", min=0, help="Tokens that neighbouring passages share.")
    ] = 32,
    embedding: EmbeddingOption = None,
    rejects: RejectsOption = None,
) -> None:
    r"""Ingest background knowledge, cut into passages.

    JSONL has one text a line: {"id", "title", "text"}. Unchanged files are skipped; a changed file replaces its
    passages.

    [bold]Examples[/bold]

    \b
    llm4tag ingest knowledge knowledge.jsonl --store my.store
    llm4tag ingest knowledge docs/ --chunk-size 512 --store my.store
    """

    async def work(opened: "KnowledgeStore", progress: "Progress") -> "IngestReport":
        from llm4tag.knowledge_store.ingest.passages import ingest_knowledge

        return await ingest_knowledge(
            opened,
            paths,
            replace=replace,
            chunk_size=chunk_size,
            chunk_overlap=chunk_overlap,
            rejects=rejects,
            progress=progress,
        )

    def check() -> None:
        from llm4tag.knowledge_store.ingest.passages import check_knowledge

        check_knowledge(paths)

    _exit_with(_ingest(store, embedding, "passages", (), work, check=check))
