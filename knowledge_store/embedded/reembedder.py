"""Embedding a whole store anew: everything is computed first, then swapped in one transaction."""

import asyncio

from llm4tag.knowledge_store.embedded import centre as centring
from llm4tag.knowledge_store.embedded.database import Database, Writer
from llm4tag.knowledge_store.embedded.upserts import note_dimensions
from llm4tag.knowledge_store.items import BATCH, Kind, vector_blob
from llm4tag.knowledge_store.store_embedding import NO_EMBEDDING, StoreEmbedding
from llm4tag.models.embedder import Progress

_TEXT_OF = {
    Kind.TAG: "name",
    Kind.CONTENT: "CASE title WHEN '' THEN text ELSE title || char(10) || text END",
    Kind.PASSAGE: "CASE title WHEN '' THEN text ELSE title || char(10) || text END",
}
"""What is embedded of a row: ``embedded_text`` in SQL."""

_Page = list[tuple[int, str, str]]


class Reembedder:
    """Embeds one store anew; readers and writers go on meanwhile, with the old vectors.

    Args:
        database: the store's file.
        embedding: the new embedder.
    """

    def __init__(self, database: Database, embedding: StoreEmbedding) -> None:
        self._database = database
        self._embedding = embedding
        self._blobs: dict[Kind, dict[str, bytes | None]] = {kind: {} for kind in Kind}

    async def run(self, progress: Progress | None) -> None:
        """Embed all objects, then those that were written meanwhile, until nothing is left; then swap."""
        done = -1
        while True:
            state = await asyncio.to_thread(self._database.state)
            if self._embedding.name != NO_EMBEDDING:
                for kind in Kind:
                    await self._embed_since(kind, done, progress)
            done = state.change
            if await asyncio.to_thread(self._swap, done):
                return

    async def _embed_since(self, kind: Kind, since: int, progress: Progress | None) -> None:
        last = -1
        while page := await asyncio.to_thread(self._page, kind, since, last):
            found = await self._embedding.vectors_of_filled([text for _, _, text in page], kind.embedded_as)
            for (_, object_id, _), vector in zip(page, found, strict=True):
                self._blobs[kind][object_id] = None if vector is None else vector_blob(vector)
            last = page[-1][0]
            if progress is not None:
                progress(len(page))

    def _page(self, kind: Kind, since: int, last: int) -> _Page:
        with self._database.read() as connection:
            return connection.execute(
                f"SELECT key, id, {_TEXT_OF[kind]} FROM {kind} WHERE key > ? AND change > ? ORDER BY key LIMIT ?",
                (last, since, BATCH),
            ).fetchall()

    def _swap(self, done: int) -> bool:
        """Write all new vectors and the model's name at once, unless something was written after ``done``."""
        with self._database.write() as writer:
            if writer.change - 1 != done:
                return False
            for kind in Kind:
                if self._embedding.name == NO_EMBEDDING:
                    writer.connection.execute(f"UPDATE {kind} SET vector = NULL")
                else:
                    rows = ((blob, object_id) for object_id, blob in self._blobs[kind].items())
                    writer.connection.executemany(f"UPDATE {kind} SET vector = ? WHERE id = ?", rows)
            writer.connection.execute("UPDATE state SET embedding = ?", (self._embedding.name,))
            writer.touch(vectors=True)
            self._renew_basis(writer)
            return True

    def _renew_basis(self, writer: Writer) -> None:
        """Put centre and dimensions right for the new vectors."""
        had_centre = centring.version(writer.connection) > 0
        centring.forget(writer)
        blobs = (blob for kind in Kind for blob in self._blobs[kind].values() if blob is not None)
        first = next(blobs, None)
        note_dimensions(writer, None if first is None else len(first) // 4)
        if first is not None and (had_centre or centring.due(writer.connection)):
            centring.recentre(writer)
