"""Exports: a whole store as one JSONL file, written and read back."""

import asyncio
import gzip
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO, cast

from pydantic import ValidationError

from llm4tag.knowledge_store.ingest.ingest_run import in_batches
from llm4tag.knowledge_store.ingest.input_formats import GZIP, describe_os_error
from llm4tag.knowledge_store.ingest.row import RowProblem
from llm4tag.knowledge_store.ingest.row_files import read_rows
from llm4tag.knowledge_store.protocol import KnowledgeStore, Writing
from llm4tag.knowledge_store.records import Record
from llm4tag.models.embedder import Progress
from llm4tag.schema import UsageError
from llm4tag.schema.errors import first_fault


async def export_file(
    store: KnowledgeStore, path: Path, *, overwrite: bool = False, progress: Progress | None = None
) -> int:
    """Write the whole store to a file, which appears only when it is complete.

    Args:
        store: what to export.
        path: JSONL, compressed when it ends in ``.gz``.
        overwrite: replace a file that exists.
        progress: called with the count of records just written.

    Returns:
        How many records were written.

    Raises:
        UsageError: the file exists or cannot be written.
        StoreError: the store failed.
    """
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists; name another file, or replace it with --overwrite")
    part = path.with_name(f"{path.name}.part")
    count = 0
    try:
        stream = await asyncio.to_thread(_open_to_write, part, path.suffix == GZIP)
        try:
            async for record in store.export():
                line = record.model_dump_json(exclude_none=True) + "\n"
                await asyncio.to_thread(stream.write, line.encode())
                count += 1
                if progress:
                    progress(1)
        finally:
            await asyncio.to_thread(stream.close)
        await asyncio.to_thread(os.replace, part, path)
    except OSError as error:
        raise UsageError(f"{path}: {describe_os_error(error)}; name a file that can be written") from error
    finally:
        part.unlink(missing_ok=True)
    return count


def _open_to_write(path: Path, zipped: bool) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "wb")) if zipped else path.open("wb")


def exported_embedding(path: Path) -> str | None:
    """Return the name of the embedding model that an export was made with.

    Raises:
        UsageError: the file is no export.
    """
    head = next(_records(path), None)
    if head is None or head.embedding is None:
        raise UsageError(f"{path}: not an export (its first line names no embedding); give what export wrote")
    return head.embedding


async def import_file(store: KnowledgeStore, path: Path, progress: Progress | None = None) -> Writing:
    """Read an export into a store.

    Raises:
        UsageError: the file is no export, or is broken; what stands before the break may be in the store.
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
            raise UsageError(str(row))
        try:
            yield Record.model_validate(row.data)
        except ValidationError as error:
            fault = first_fault(error)
            raise UsageError(
                f"{path}:{row.line}: field '{fault.field}': {fault.message}; give what llm4tag store export wrote"
            ) from error
