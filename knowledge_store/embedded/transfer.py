"""A whole store as lines, and back."""

import asyncio
import base64
import binascii
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from itertools import islice

import numpy as np

from knowledge_store.embedded import centring
from knowledge_store.embedded.database import Database, get_blob, read_state
from knowledge_store.embedded.embedding import StoreEmbedding
from knowledge_store.embedded.failures import store_errors
from knowledge_store.embedded.rows import (
    PASSAGE_COLUMNS,
    TAG_COLUMNS,
    Kind,
    contents_of,
    passage_of,
    tag_of,
    vector_of,
)
from knowledge_store.embedded.upserting import BATCH, Upserter
from knowledge_store.embedded.writing import Item
from knowledge_store.protocol import Record, Writing
from models.embedding import Progress, Vector
from schema import StoreError


async def export(database: Database) -> AsyncIterator[Record]:
    """Yield the head, then tags, contents and passages, all of one moment."""
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
        embedding=read_state(connection).embedding, centre=_encoded(get_blob(connection, centring.CENTRE))
    )
    for *row, blob in connection.execute(f"SELECT {TAG_COLUMNS}, vector FROM tags ORDER BY key"):
        yield Record(tag=tag_of(row), vector=_encoded(blob))
    contents = connection.execute("SELECT id, vector FROM contents ORDER BY key")
    while page := dict(contents.fetchmany(BATCH)):
        found = contents_of(connection, list(page))
        for content_id, blob in page.items():
            yield Record(content=found[content_id], vector=_encoded(blob))
    for *row, blob in connection.execute(f"SELECT {PASSAGE_COLUMNS}, vector FROM passages ORDER BY key"):
        yield Record(passage=passage_of(row), vector=_encoded(blob))


class Importer:
    """Writes exported records into one store.

    Args:
        database: the store's file.
        embedding: its embedder; vectors of the same model are taken over.
        upserter: what writes.
    """

    def __init__(self, database: Database, embedding: StoreEmbedding, upserter: Upserter) -> None:
        self._database = database
        self._embedding = embedding
        self._upserter = upserter
        self._batch: list[Item] = []
        self._kind = Kind.TAG
        self._vectors: dict[str, Vector] = {}
        self._total = Writing()

    async def run(self, records: AsyncIterator[Record], progress: Progress | None) -> Writing:
        """Write all records, in batches of one kind."""
        same_model = adopted = False
        number = 0
        async for record in records:
            number += 1
            if record.embedding is not None:
                same_model = record.embedding == self._embedding.name
                if same_model and record.centre is not None:
                    centre = _decoded(record.centre, number)
                    adopted = await asyncio.to_thread(self._adopt_centre, centre)
                continue
            kind, item = _object_of(record, number)
            if kind is not self._kind or len(self._batch) == BATCH:
                await self._flush(progress)
                self._kind = kind
            self._batch.append(item)
            if same_model and record.vector is not None:
                self._vectors[item.id] = _decoded(record.vector, number)
        await self._flush(progress)
        if adopted:
            await asyncio.to_thread(self._note_size)
        await self._upserter.recentre_when_due()
        return self._total

    async def _flush(self, progress: Progress | None) -> None:
        self._total += await self._upserter.upsert(self._kind, self._batch, progress, self._vectors)
        self._batch, self._vectors = [], {}

    def _adopt_centre(self, centre: Vector) -> bool:
        """Take over the centre when there are no contents yet, so that scores come out as they did."""
        with self._database.write() as writer:
            if writer.connection.execute("SELECT 1 FROM contents LIMIT 1").fetchone() is not None:
                return False
            centring.freeze(writer, centre)
            return True

    def _note_size(self) -> None:
        with self._database.write() as writer:
            centring.note_size(writer)


def _object_of(record: Record, number: int) -> tuple[Kind, Item]:
    objects: list[tuple[Kind, Item | None]] = [
        (Kind.TAG, record.tag),
        (Kind.CONTENT, record.content),
        (Kind.PASSAGE, record.passage),
    ]
    found = [(kind, item) for kind, item in objects if item is not None]
    if len(found) != 1:
        raise StoreError(f"record {number}: holds {len(found)} objects instead of one; export the store again")
    return found[0]


def _encoded(blob: bytes | None) -> str | None:
    return None if blob is None else base64.b64encode(blob).decode("ascii")


def _decoded(text: str, number: int) -> Vector:
    try:
        vector = vector_of(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise StoreError(f"record {number}: field vector: {error}; export the store again") from None
    if not np.isfinite(vector).all():
        raise StoreError(
            f"record {number}: field vector: holds a number that is not finite; export the store again"
        )
    return vector
