"""``llm4tag ingest``: vocabularies, tagged history and knowledge into a store."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from llm4tag.cli.console import EmbeddingOption, ExitCode, RejectsOption, StoreOption, progress_bar, run_async
from llm4tag.cli.ingest_summary import print_report

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
    """Open the store, run the work under a progress bar and print its report.

    Args:
        location: of the store.
        embedding: what it is, or is to be, filled with.
        label: of the progress bar.
        files: whose rows are counted for it.
        work: what to do.
        check: of the input, before a store is made where there is none; None makes none.
    """
    from llm4tag.cli.store_setup import open_or_make
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
    """Exit with the code of what came of the rows."""
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
            help="Upper concepts that stand only as parents and are never assigned. May be given several times.",
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Retire the tags that no file has: never output, history kept.")
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
            help="Fit the linear scorer and the fusion of evidence afterwards. Default: when there is enough "
            "history and no fit yet, or one that much less history backs.",
            show_default=False,
        ),
    ] = None,
    rejects: RejectsOption = None,
) -> None:
    r"""Ingest contents that were tagged before, and fit recall on them.

    JSONL has one content a line: {"id", "text", "tags"}, and optionally "title", "provenance" (human or model),
    "confidence" and "time". Tags are given by id, or by a name or alias that is exactly one tag's. Tags that the
    vocabulary lacks are reported and set aside; the rest of the row is stored.

    [bold]Examples[/bold]

    \b
    llm4tag ingest history history.jsonl --store my.store
    llm4tag ingest history 2025.csv 2026.parquet --store my.store --rejects bad.jsonl
    """

    async def work(opened: "KnowledgeStore", progress: "Progress") -> "IngestReport":
        from llm4tag.knowledge_store.ingest.ingest_run import ingest_history

        return await ingest_history(opened, files, rejects=rejects, progress=progress)

    from llm4tag.cli.fit_progress import fit_after_ingest

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
        bool, typer.Option("--replace", help="Remove the passages of files that have vanished from a folder.")
    ] = False,
    chunk_size: Annotated[int, typer.Option("--chunk-size", min=16, help="Tokens of a passage at most.")] = 256,
    chunk_overlap: Annotated[
        int, typer.Option("--chunk-overlap", min=0, help="Tokens that neighbouring passages share.")
    ] = 32,
    embedding: EmbeddingOption = None,
    rejects: RejectsOption = None,
) -> None:
    r"""Ingest background knowledge, cut into passages.

    JSONL has one text a line: {"id", "title", "text"}. Files that are as they were are skipped; a changed file
    replaces its passages.

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
