"""Exports: a whole store as one JSONL file, written and read back."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO, cast

from pydantic import ValidationError

from llm4tag.knowledge_store.ingest.ingest_run import in_batches
from llm4tag.knowledge_store.ingest.input_formats import GZIP, describe_os_error
from llm4tag.knowledge_store.ingest.row import RowProblem
from llm4tag.knowledge_store.ingest.row_files import read_rows
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.knowledge_store.records import Record, Writing
from llm4tag.models.embedder import Progress
from llm4tag.schema import UsageError
from llm4tag.schema.drafts import draft_of
from llm4tag.schema.errors import first_fault

_REMEDY = "give a file that the export of a store wrote"


async def export_file(
    store: KnowledgeStore, path: Path, *, overwrite: bool = False, progress: Progress | None = None
) -> int:
    """Write the whole store to a file, which appears only when it is complete.

    Args:
        store: the store.
        path: the JSONL file; it is compressed if its name ends in ``.gz``.
        overwrite: whether to replace a file that exists.
        progress: called with the number of records just written.

    Returns:
        The number of records written.

    Raises:
        UsageError: the file exists or cannot be written.
        StoreError: the store failed.
    """
    if path.exists() and not overwrite:
        raise UsageError("the file exists", where=path, remedy="name another file, or give {overwrite}")
    try:
        with draft_of(path) as draft:
            return await _write(store, draft, progress, zipped=path.suffix == GZIP)
    except OSError as error:
        raise UsageError(describe_os_error(error), where=path, remedy="name a file that can be written") from error


async def _write(store: KnowledgeStore, path: Path, progress: Progress | None, *, zipped: bool) -> int:
    count = 0
    stream = await asyncio.to_thread(_open_to_write, path, zipped)
    try:
        async for record in store.export():
            line = record.model_dump_json(exclude_none=True) + "\n"
            await asyncio.to_thread(stream.write, line.encode())
            count += 1
            if progress:
                progress(1)
    finally:
        await asyncio.to_thread(stream.close)
    return count


def _open_to_write(path: Path, zipped: bool) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "wb")) if zipped else path.open("wb")


def exported_embedding(path: Path) -> str | None:
    """Return the name of the embedding model that an export was made with.

    Raises:
        UsageError: the file is not an export.
    """
    head = next(_records(path), None)
    if head is None or head.embedding is None:
        raise UsageError("not an export (its first line names no embedding)", where=path, remedy=_REMEDY)
    return head.embedding


async def import_file(store: KnowledgeStore, path: Path, progress: Progress | None = None) -> Writing:
    """Read an export into a store.

    Raises:
        UsageError: the file is not an export, or it is broken; the records before the break may be in the store.
        StoreError: the store failed.
        ModelError: the embedding model failed.
    """
    await asyncio.to_thread(exported_embedding, path)
    return await store.import_records(_in_thread(path), progress)


async def _in_thread(path: Path) -> AsyncIterator[Record]:
    async for batch in in_batches(_records(path)):
        for record in batch:
            yield record


def _records(path: Path) -> Iterator[Record]:
    for row in read_rows(str(path)):
        if isinstance(row, RowProblem):
            raise row.as_error()
        try:
            yield Record.model_validate(row.data)
        except ValidationError as error:
            fault = first_fault(error)
            raise UsageError(
                fault.message, where=f"{path}:{row.line}: field '{fault.field}'", remedy=_REMEDY
            ) from error
