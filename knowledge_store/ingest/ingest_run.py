"""Runners: they read files in batches and hand each batch to the store.

A batch that the store has acknowledged survives a kill. A rerun starts over, and what is stored already costs
little: the store reports it as unchanged.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from llm4tag.knowledge_store.ingest.contents import HISTORY_COLUMNS, read_history
from llm4tag.knowledge_store.ingest.ingest_report import IngestReport, Rejects, Tally
from llm4tag.knowledge_store.ingest.row import RowProblem
from llm4tag.knowledge_store.ingest.row_files import check_rows
from llm4tag.knowledge_store.ingest.vocabulary_files import check_vocabulary_files, read_vocabulary
from llm4tag.knowledge_store.location import is_address
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.knowledge_store.store_embedding import NO_EMBEDDING
from llm4tag.models.embedder import Progress
from llm4tag.schema import TaggedContent, UsageError

BATCH = 256
EMBEDDED_BATCH = 64
"""Where vectors are computed: seconds of work, so that progress is seen and Ctrl-C loses little."""
T = TypeVar("T")


def batch_size(store: KnowledgeStore) -> int:
    """Return how many objects to hand to a store at once."""
    return BATCH if store.embedding == NO_EMBEDDING else EMBEDDED_BATCH


async def in_batches(items: Iterator[T], size: int = BATCH) -> AsyncIterator[list[T]]:
    """Yield lists of up to ``size`` items, read in a thread."""
    while batch := await asyncio.to_thread(lambda: list(islice(items, size))):
        yield batch


def rejects_folder(location: str) -> Path:
    """Return the folder beside an embedded store, or the current one for a server's."""
    return Path() if is_address(location) else Path(location).absolute().parent


def require_files(files: Sequence[str]) -> None:
    """Raise UsageError when no file is given, or one twice."""
    if not files:
        raise UsageError("no input file; name at least one")
    twice = sorted({file for file in files if files.count(file) > 1})
    if twice:
        raise UsageError(f"{twice[0]} is given twice; name each file once")


def check_vocabulary(files: Sequence[str], groups: Sequence[str] = ()) -> None:
    """Make sure that the files of a vocabulary can be read; nothing of a store is needed.

    Raises:
        UsageError: no file is given, one twice, or one cannot be read.
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
        store: where to.
        files: JSONL, CSV, Parquet or SKOS files of tags.
        groups: files of tags that stand only as parents and are never assigned.
        replace: retire the tags that no file has; not done when a row was set aside, as it might be one of them.
        language: of names in SKOS.
        rejects: file for the rows set aside; by default one an input, beside the store.
        progress: called with the count of tags just written.

    Raises:
        UsageError: a file cannot be read, or nothing in them is usable.
        StoreError: the store failed.
        ModelError: the embedding model failed.
    """
    await asyncio.to_thread(check_vocabulary, files, groups)
    inputs = [*files, *groups]
    known = await store.vocabulary()
    with Rejects(inputs, rejects_folder(store.location), rejects) as aside:
        tally = Tally("vocabulary", inputs, aside)
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
        store: where to; it must have its vocabulary.
        files: JSONL, CSV or Parquet, ``-`` for JSONL on stdin.
        rejects: file for the rows set aside; by default one an input, beside the store.
        progress: called with the count of rows just stored or set aside.

    Raises:
        UsageError: a file cannot be read, the store has no tags, or nothing in the files is usable.
        StoreError: the store failed.
        ModelError: the embedding model failed.
    """
    require_files(files)
    await asyncio.to_thread(check_rows, files, HISTORY_COLUMNS)
    vocabulary = await store.vocabulary()
    if not vocabulary:
        raise UsageError(f"{store.location} has no tags yet; ingest a vocabulary first")
    with Rejects(files, rejects_folder(store.location), rejects) as aside:
        tally = Tally("history", files, aside)
        rows = read_history(files, vocabulary, tally.notes, tally.seen)
        async for batch in in_batches(rows, batch_size(store)):
            contents: list[TaggedContent] = []
            for item in batch:
                if isinstance(item, RowProblem):
                    tally.problem(item)
                else:
                    contents.append(item)
            if contents:
                tally.wrote(await store.upsert_contents(contents), contents)
            if progress:
                progress(sum(not (isinstance(item, RowProblem) and item.partial) for item in batch))
        tally.require_usable()
        return tally.report()
