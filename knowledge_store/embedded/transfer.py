"""Exporting the store of a file as records, and what an import into it needs."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice

from llm4tag.knowledge_store.embedded import stored_centre
from llm4tag.knowledge_store.embedded.database import Database, get_blob, read_state
from llm4tag.knowledge_store.embedded.store_file import store_errors
from llm4tag.knowledge_store.embedded.table_rows import (
    PASSAGE_COLUMNS,
    TAG_COLUMNS,
    contents_of,
    passage_of,
    tag_of,
)
from llm4tag.knowledge_store.embedded.upserts import Upserter
from llm4tag.knowledge_store.importer import encoded
from llm4tag.knowledge_store.items import BATCH, Item, ItemKind
from llm4tag.knowledge_store.records import Artifact, Mark, Record, Writing
from llm4tag.models.embedder import Progress, Vector


async def export(database: Database) -> AsyncIterator[Record]:
    """Yield the head, then tags, contents, passages, marks and artifacts, all as they are at one moment."""
    connection = await asyncio.to_thread(database.snapshot)
    with closing(connection):
        records = _records(connection)
        while page := await asyncio.to_thread(_page, database, records):
            for record in page:
                yield record


def _page(database: Database, records: Iterator[Record]) -> list[Record]:
    with store_errors(database.path):
        return list(islice(records, BATCH))


def _records(connection: sqlite3.Connection) -> Iterator[Record]:
    yield Record(
        embedding=read_state(connection).embedding, centre=encoded(get_blob(connection, stored_centre.CENTRE))
    )
    for *row, blob in connection.execute(f"SELECT {TAG_COLUMNS}, vector FROM tags ORDER BY key"):
        yield Record(tag=tag_of(row), vector=encoded(blob))
    contents = connection.execute("SELECT id, vector FROM contents ORDER BY key")
    while page := dict(contents.fetchmany(BATCH)):
        found = contents_of(connection, list(page))
        for content_id, blob in page.items():
            yield Record(content=found[content_id], vector=encoded(blob))
    for *row, blob in connection.execute(f"SELECT {PASSAGE_COLUMNS}, vector FROM passages ORDER BY key"):
        yield Record(passage=passage_of(row), vector=encoded(blob))
    for key, value in connection.execute("SELECT key, value FROM marks ORDER BY key"):
        yield Record(mark=Mark(key=key, value=value))
    for name, data in connection.execute("SELECT name, data FROM artifacts ORDER BY name"):
        yield Record(artifact=Artifact(name=name, data=encoded(data) or ""))


class FileTarget:
    """Writes the objects and the centre of an import into one store's file.

    Args:
        database: the file.
        upserter: writes objects into it.
    """

    def __init__(self, database: Database, upserter: Upserter) -> None:
        self._database = database
        self._upserter = upserter

    async def upsert(
        self, kind: ItemKind, items: Sequence[Item], progress: Progress | None, vectors: Mapping[str, Vector]
    ) -> Writing:
        """Add or replace objects; a vector that is given is not computed."""
        return await self._upserter.upsert(kind, items, progress, vectors)

    async def adopt_centre(self, centre: Vector) -> bool:
        """Take over the centre if there are no contents yet, so that scores stay the same."""
        return await asyncio.to_thread(self._adopt_centre, centre)

    def _adopt_centre(self, centre: Vector) -> bool:
        with self._database.write() as transaction:
            if transaction.connection.execute("SELECT 1 FROM contents LIMIT 1").fetchone() is not None:
                return False
            stored_centre.freeze(transaction, centre)
            return True

    async def finish_import(self, adopted: bool) -> None:
        """Record how many contents an adopted centre belongs to; compute a centre if one is due."""
        if adopted:
            await asyncio.to_thread(self._record_size)
        await self._upserter.recentre_when_due()

    def _record_size(self) -> None:
        with self._database.write() as transaction:
            stored_centre.record_size(transaction)
