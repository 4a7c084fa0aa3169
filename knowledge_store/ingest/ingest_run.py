"""Ingesting vocabulary and history: files are read in batches, and each batch is handed to the store.

A batch that the store has acknowledged survives a kill. A rerun starts from the beginning; what is already stored
costs little, since the store finds it unchanged.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from llm4tag.knowledge_store.ingest.contents import HISTORY_COLUMNS, read_history
from llm4tag.knowledge_store.ingest.ingest_report import IngestReport, IngestTally, Rejects
from llm4tag.knowledge_store.ingest.row import RowProblem
from llm4tag.knowledge_store.ingest.row_files import check_rows
from llm4tag.knowledge_store.ingest.vocabulary_files import check_vocabulary_files, read_vocabulary
from llm4tag.knowledge_store.items import BATCH
from llm4tag.knowledge_store.location import is_address
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.models.embedder import Progress
from llm4tag.models.embedder_registry import NO_EMBEDDING
from llm4tag.schema import UsageError

EMBEDDED_BATCH = 64
"""Batch size if vectors are computed: some seconds of work, so that progress shows and Ctrl-C loses little."""
T = TypeVar("T")


def batch_size(store: KnowledgeStore) -> int:
    """Return the number of objects to hand to a store at once."""
    return BATCH if store.embedding == NO_EMBEDDING else EMBEDDED_BATCH


async def in_batches(items: Iterator[T], size: int = BATCH) -> AsyncIterator[list[T]]:
    """Yield lists of up to ``size`` items, read in a thread."""
    while batch := await asyncio.to_thread(lambda: list(islice(items, size))):
        yield batch


def rejects_folder(location: str) -> Path:
    """Return the folder for files of rejects: an embedded store's own, or the current one for others."""
    return Path() if is_address(location) else Path(location).absolute().parent


def require_files(files: Sequence[str]) -> None:
    """Raise UsageError if no file is given, or one is given twice."""
    if not files:
        raise UsageError("no input file", remedy="name at least one")
    twice = sorted({file for file in files if files.count(file) > 1})
    if twice:
        raise UsageError("is given twice", where=twice[0], remedy="name each file once")


def check_vocabulary(files: Sequence[str], groups: Sequence[str] = ()) -> None:
    """Make sure that the files of a vocabulary can be read; this needs no store.

    Raises:
        UsageError: no file is given, one is given twice, or one cannot be read.
    """
    inputs = [*files, *groups]
    require_files(inputs)
    check_vocabulary_files(inputs)


async def ingest_vocabulary(
    store: KnowledgeStore,
    files: Sequence[str],
    *,
    groups: Sequence[str] = (),
    replace: bool = False,
    language: str = "en",
    rejects: Path | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Ingest tags and groups.

    Args:
        store: the store to write to.
        files: JSONL, CSV, Parquet or SKOS files of tags.
        groups: files of tags that are only parents of others and are never assigned.
        replace: retire the tags that no file has; none is, if a row was set aside, as it might be its tag.
        language: language of the names to take from SKOS.
        rejects: file for rows that are set aside; by default one for each input, next to the store.
        progress: called with the number of tags just written.

    Raises:
        UsageError: a file cannot be read, or nothing in them is usable.
        StoreError: the store failed.
        ModelError: the embedding model failed.
    """
    await asyncio.to_thread(check_vocabulary, files, groups)
    inputs = [*files, *groups]
    known = await store.vocabulary()
    with Rejects(inputs, rejects_folder(store.location), rejects) as aside:
        tally = IngestTally("vocabulary", inputs, aside)
        found = await asyncio.to_thread(
            read_vocabulary, files, groups, known=known, language=language, notes=tally.notes, seen=tally.seen
        )
        for problem in found.problems:
            tally.problem(problem)
        async for batch in in_batches(iter(found.tags), batch_size(store)):
            tally.wrote(await store.upsert_tags(batch), batch)
            if progress:
                progress(len(batch))
        tally.require_usable()
        if replace and tally.set_aside:
            tally.notes.add("replace", "no tag was retired, as a row set aside might be one of them")
        elif replace:
            present = {tag.id for tag in found.tags}
            absent = [tag.id for tag in known.values() if tag.id not in present and not tag.retired]
            tally.retired = await store.retire_tags(absent) if absent else 0
        return tally.report()


async def ingest_history(
    store: KnowledgeStore,
    files: Sequence[str],
    *,
    rejects: Path | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Ingest tagged contents.

    Args:
        store: the store to write to; it must have a vocabulary.
        files: JSONL, CSV or Parquet files; ``-`` is JSONL on stdin.
        rejects: file for rows that are set aside; by default one for each input, next to the store.
        progress: called with the number of rows just stored or set aside.

    Raises:
        UsageError: a file cannot be read, the store has no tags, or nothing in the files is usable.
        StoreError: the store failed.
        ModelError: the embedding model failed.
    """
    require_files(files)
    await asyncio.to_thread(check_rows, files, HISTORY_COLUMNS)
    vocabulary = await store.vocabulary()
    if not vocabulary:
        raise UsageError(
            "has no tags yet", where=store.location, remedy="{ingest_vocabulary}", store=store.location
        )
    with Rejects(files, rejects_folder(store.location), rejects) as aside:
        tally = IngestTally("history", files, aside)
        rows = read_history(files, vocabulary, tally.notes, tally.seen)
        async for batch in in_batches(rows, batch_size(store)):
            contents = tally.usable(batch)
            if contents:
                tally.wrote(await store.upsert_contents(contents), contents)
            if progress:
                progress(sum(not (isinstance(item, RowProblem) and item.partial) for item in batch))
        tally.require_usable()
        return tally.report()
