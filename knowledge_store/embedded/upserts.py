"""Idempotent upserts in batches: only what is new or changed is embedded and written."""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence

from llm4tag.knowledge_store.embedded import centre as centring
from llm4tag.knowledge_store.embedded import writes as writing
from llm4tag.knowledge_store.embedded.database import Database, Writer, get_number, read_state
from llm4tag.knowledge_store.items import Item, Kind, Plan, batches, check_length, embedded_text, plan_batch
from llm4tag.knowledge_store.protocol import Writing
from llm4tag.knowledge_store.store_embedding import NO_EMBEDDING, StoreEmbedding
from llm4tag.models.embedder import Progress, Vector

_DIMENSIONS = "dimensions"


class Upserter:
    """Writes objects of any kind into one store.

    Args:
        database: the store's file.
        embedding: its embedder.
    """

    def __init__(self, database: Database, embedding: StoreEmbedding) -> None:
        self._database = database
        self._embedding = embedding

    async def upsert(
        self,
        kind: Kind,
        items: Sequence[Item],
        progress: Progress | None = None,
        vectors: Mapping[str, Vector] | None = None,
    ) -> Writing:
        """Add or replace objects; vectors that are given are not computed."""
        total = Writing()
        for batch in batches(items):
            given: dict[str, Vector | None] = {
                item.id: vectors[item.id] for item in batch if vectors is not None and item.id in vectors
            }
            total += await self._upsert_batch(kind, batch, given)
            if progress is not None:
                progress(len(batch))
        return total

    async def recentre_when_due(self) -> None:
        """Freeze a centre for content vectors when there should be one, or a new one."""
        await asyncio.to_thread(self._recentre_when_due)

    def _recentre_when_due(self) -> None:
        if self._embedding.name == NO_EMBEDDING:
            return
        with self._database.read() as connection:
            if not centring.due(connection):
                return
        with self._database.write() as writer:
            if centring.due(writer.connection):
                centring.renew(writer)

    async def _upsert_batch(self, kind: Kind, batch: list[Item], vectors: dict[str, Vector | None]) -> Writing:
        name = self._embedding.name
        while True:
            plan = await asyncio.to_thread(self._write, kind, batch, vectors, name)
            if not plan.unembedded:
                return plan.writing
            # Twice at most, unless another process changes the same texts meanwhile.
            texts = [embedded_text(item) for item in plan.unembedded]
            found = await self._embedding.vectors_of_filled(texts, kind.embedded_as)
            vectors |= zip((item.id for item in plan.unembedded), found, strict=True)

    def _write(self, kind: Kind, batch: Sequence[Item], vectors: Mapping[str, Vector | None], name: str) -> Plan:
        """Write a batch, unless some of it must be embedded first or all of it is there already."""
        with self._database.read() as connection:
            plan = self._plan(connection, kind, batch, vectors, name)
        if plan.unembedded or not plan.items:
            return plan
        with self._database.write() as writer:
            # Another process may have written in between.
            plan = self._plan(writer.connection, kind, batch, vectors, name)
            if not plan.unembedded and plan.items:
                _check_dimensions(writer, plan.vectors)
                writing.put(writer, kind, plan.items, plan.vectors)
            return plan

    def _plan(
        self,
        connection: sqlite3.Connection,
        kind: Kind,
        batch: Sequence[Item],
        vectors: Mapping[str, Vector | None],
        name: str,
    ) -> Plan:
        self._embedding.check(read_state(connection).embedding, name)
        before = writing.stored(connection, kind, [item.id for item in batch])
        return plan_batch(batch, before, vectors, embeds=name != NO_EMBEDDING)


def _check_dimensions(writer: Writer, vectors: Mapping[str, Vector | None]) -> None:
    """Hold all vectors of a store to one length."""
    wanted = get_number(writer.connection, _DIMENSIONS)
    for object_id, vector in vectors.items():
        if vector is None:
            continue
        if not wanted:
            wanted = len(vector)
            note_dimensions(writer, wanted)
        check_length(object_id, vector, wanted)


def note_dimensions(writer: Writer, dimensions: int | None) -> None:
    """Hold the vectors to come to this length; None lets the next ones have any."""
    writer.set_meta(_DIMENSIONS, dimensions)
