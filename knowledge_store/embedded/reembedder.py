"""Embedding a whole store again: everything is computed first, then swapped in one transaction."""

import asyncio

from llm4tag.knowledge_store.embedded import stored_centre
from llm4tag.knowledge_store.embedded.database import Database, WriteTransaction
from llm4tag.knowledge_store.embedded.upserts import record_dimensions
from llm4tag.knowledge_store.items import BATCH, ItemKind, vector_blob
from llm4tag.knowledge_store.store_embedding import StoreEmbedding
from llm4tag.models.embedder import Progress
from llm4tag.models.embedder_registry import NO_EMBEDDING

_TEXT_OF = {
    ItemKind.TAG: "name",
    ItemKind.CONTENT: "CASE title WHEN '' THEN text ELSE title || char(10) || text END",
    ItemKind.PASSAGE: "CASE title WHEN '' THEN text ELSE title || char(10) || text END",
}
"""The text of a row that is embedded: ``embedded_text`` of the store's items, in SQL."""

_Page = list[tuple[int, str, str]]


class Reembedder:
    """Embeds one store again; readers and writers go on with the old vectors in the meantime.

    Args:
        database: the store's file.
        embedding: the new embedder.
    """

    def __init__(self, database: Database, embedding: StoreEmbedding) -> None:
        self._database = database
        self._embedding = embedding
        self._blobs: dict[ItemKind, dict[str, bytes | None]] = {kind: {} for kind in ItemKind}

    async def run(self, progress: Progress | None) -> None:
        """Embed all objects, then those that were written in the meantime, until nothing is left; then swap."""
        done = -1
        while True:
            state = await asyncio.to_thread(self._database.state)
            if self._embedding.name != NO_EMBEDDING:
                for kind in ItemKind:
                    await self._embed_since(kind, done, progress)
            done = state.change
            if await asyncio.to_thread(self._swap, done):
                return

    async def _embed_since(self, kind: ItemKind, since: int, progress: Progress | None) -> None:
        last = -1
        while page := await asyncio.to_thread(self._page, kind, since, last):
            found = await self._embedding.vectors_or_none([text for _, _, text in page], kind.embedded_as)
            for (_, object_id, _), vector in zip(page, found, strict=True):
                self._blobs[kind][object_id] = None if vector is None else vector_blob(vector)
            last = page[-1][0]
            if progress is not None:
                progress(len(page))

    def _page(self, kind: ItemKind, since: int, last: int) -> _Page:
        with self._database.read() as connection:
            return connection.execute(
                f"SELECT key, id, {_TEXT_OF[kind]} FROM {kind} WHERE key > ? AND change > ? ORDER BY key LIMIT ?",
                (last, since, BATCH),
            ).fetchall()

    def _swap(self, done: int) -> bool:
        """Write all new vectors and the model's name at once, unless something was written after ``done``."""
        with self._database.write() as transaction:
            if transaction.change - 1 != done:
                return False
            for kind in ItemKind:
                if self._embedding.name == NO_EMBEDDING:
                    transaction.connection.execute(f"UPDATE {kind} SET vector = NULL")
                else:
                    rows = ((blob, object_id) for object_id, blob in self._blobs[kind].items())
                    transaction.connection.executemany(f"UPDATE {kind} SET vector = ? WHERE id = ?", rows)
            transaction.connection.execute("UPDATE state SET embedding = ?", (self._embedding.name,))
            transaction.touch(vectors=True)
            self._renew_basis(transaction)
            return True

    def _renew_basis(self, transaction: WriteTransaction) -> None:
        """Set the centre and the dimensions for the new vectors."""
        had_centre = stored_centre.version(transaction.connection) > 0
        stored_centre.remove(transaction)
        blobs = (blob for kind in ItemKind for blob in self._blobs[kind].values() if blob is not None)
        first = next(blobs, None)
        record_dimensions(transaction, None if first is None else len(first) // 4)
        if first is not None and (had_centre or stored_centre.due(transaction.connection)):
            stored_centre.recentre(transaction)
