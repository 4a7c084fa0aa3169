"""Idempotent upserts in batches: only objects that are new or changed are embedded and written."""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence

from llm4tag.knowledge_store.embedded import stored_centre, writes
from llm4tag.knowledge_store.embedded.database import Database, WriteTransaction, get_number, read_state
from llm4tag.knowledge_store.items import (
    BatchPlan,
    Item,
    ItemKind,
    batches,
    common_length,
    embedded_text,
    plan_batch,
)
from llm4tag.knowledge_store.records import Writing
from llm4tag.knowledge_store.store_embedding import StoreEmbedding
from llm4tag.models.embedder import Progress, Vector
from llm4tag.models.embedder_registry import NO_EMBEDDING

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
        kind: ItemKind,
        items: Sequence[Item],
        progress: Progress | None = None,
        vectors: Mapping[str, Vector] | None = None,
    ) -> Writing:
        """Add or replace objects; a vector that is given is not computed."""
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
        """Freeze the mean of content vectors if it is due for the first time or again, and has moved."""
        await asyncio.to_thread(self._recentre_when_due)

    def _recentre_when_due(self) -> None:
        if self._embedding.name == NO_EMBEDDING:
            return
        with self._database.read() as connection:
            if not stored_centre.due(connection):
                return
        with self._database.write() as transaction:
            if stored_centre.due(transaction.connection):
                stored_centre.renew(transaction)

    async def _upsert_batch(self, kind: ItemKind, batch: list[Item], vectors: dict[str, Vector | None]) -> Writing:
        name = self._embedding.name
        while True:
            plan = await asyncio.to_thread(self._write, kind, batch, vectors, name)
            if not plan.unembedded:
                return plan.writing
            # This happens twice at most, unless another process changes the same texts in the meantime.
            texts = [embedded_text(item) for item in plan.unembedded]
            found = await self._embedding.vectors_or_none(texts, kind.embedded_as)
            vectors |= zip((item.id for item in plan.unembedded), found, strict=True)

    def _write(
        self, kind: ItemKind, batch: Sequence[Item], vectors: Mapping[str, Vector | None], name: str
    ) -> BatchPlan:
        """Write a batch, unless part of it has to be embedded first or all of it is there already."""
        with self._database.read() as connection:
            plan = self._plan(connection, kind, batch, vectors, name)
        if plan.unembedded or not plan.items:
            return plan
        with self._database.write() as transaction:
            # Another process may have written in between.
            plan = self._plan(transaction.connection, kind, batch, vectors, name)
            if not plan.unembedded and plan.items:
                _check_dimensions(transaction, plan.vectors)
                writes.put(transaction, kind, plan.items, plan.vectors)
            return plan

    def _plan(
        self,
        connection: sqlite3.Connection,
        kind: ItemKind,
        batch: Sequence[Item],
        vectors: Mapping[str, Vector | None],
        name: str,
    ) -> BatchPlan:
        self._embedding.check(read_state(connection).embedding, name)
        before = writes.stored(connection, kind, [item.id for item in batch])
        return plan_batch(batch, before, vectors, embeds=name != NO_EMBEDDING)


def _check_dimensions(transaction: WriteTransaction, vectors: Mapping[str, Vector | None]) -> None:
    """Make sure that all vectors of the store have the same length."""
    stored = get_number(transaction.connection, _DIMENSIONS)
    length = common_length(vectors, stored)
    if length != stored:
        record_dimensions(transaction, length)


def record_dimensions(transaction: WriteTransaction, dimensions: int | None) -> None:
    """Record the length that all vectors must have from now on; None allows the next ones any length."""
    transaction.set_meta(_DIMENSIONS, dimensions)
