"""The embedded knowledge store: the protocol of a store on one file."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

from llm4tag.knowledge_store.embedded import stored_centre, transfer, writes
from llm4tag.knowledge_store.embedded import table_rows as rows
from llm4tag.knowledge_store.embedded import tag_graph as graph
from llm4tag.knowledge_store.embedded.database import CachedValue, Database, WriteTransaction
from llm4tag.knowledge_store.embedded.reembedder import Reembedder
from llm4tag.knowledge_store.embedded.search import IndexSearcher
from llm4tag.knowledge_store.embedded.upserts import Upserter
from llm4tag.knowledge_store.importer import ImportTarget
from llm4tag.knowledge_store.items import ItemKind
from llm4tag.knowledge_store.protocol import Collection, Hit, SearchQuery, StoreStatistics, TagCount
from llm4tag.knowledge_store.records import Record, Writing
from llm4tag.knowledge_store.store_base import StoreBase
from llm4tag.knowledge_store.store_embedding import Embedders, RequestedEmbedding, StoreEmbedding
from llm4tag.models.embedder import EmbeddingKind, Progress, Vector
from llm4tag.schema import DEFAULT_EMBEDDING, Assignment, Passage, Provenance, Tag, TaggedContent, Vocabulary

T = TypeVar("T")


class EmbeddedStore(StoreBase):
    """A knowledge store in one SQLite file, searched by exact indexes in memory.

    Open one by ``EmbeddedStore.open``. Several processes may read while one writes; several threads and event
    loops may use one object. All blocking work is done in threads.
    """

    def __init__(self, database: Database, embedding: StoreEmbedding, embedders: Embedders) -> None:
        super().__init__(embedding, embedders)
        self._database = database
        self._upserter = Upserter(database, embedding)
        self._vocabulary = CachedValue(
            database, lambda state: state.tags, lambda connection: Vocabulary(rows.tags_of(connection).values())
        )
        self._counts = CachedValue(database, lambda state: state.assignments, graph.tag_counts)
        self._cooccurrences = CachedValue(
            database, lambda state: state.assignments, lambda _: graph.CooccurrenceCache()
        )
        self._searcher = IndexSearcher(database, embedding, self._vocabulary.get)

    @classmethod
    async def open(
        cls,
        path: Path,
        embedders: Embedders,
        *,
        embedding: str | None = None,
        default_embedding: str = DEFAULT_EMBEDDING,
        create: bool = False,
        busy_seconds: float = 30.0,
    ) -> Self:
        """Open a store, or make a new one.

        Args:
            path: the file.
            embedders: makes an embedder by name, None for ``none``.
            embedding: name of the embedding model; None takes the one that the store recorded.
            default_embedding: the model of a new store if ``embedding`` is None.
            create: make the store if there is none.
            busy_seconds: how long to wait while another process writes.

        Raises:
            StoreNotFoundError: there is no store, and ``create`` is false.
            StoreVersionError: the store has another version.
            EmbeddingMismatchError: another model filled the store.
            StoreError: the file is not a store, or it cannot be read.
        """
        requested = await RequestedEmbedding.make(embedders, embedding, default_embedding, str(path))
        try:
            database = await asyncio.to_thread(
                lambda: Database(path, create=create, embedding=requested.name_for_new, busy_seconds=busy_seconds)
            )
            try:
                recorded = (await asyncio.to_thread(database.state)).embedding
                return cls(database, requested.agreed(recorded), embedders)
            except BaseException:
                await asyncio.to_thread(database.close)
                raise
        except BaseException:
            await requested.close()
            raise

    @property
    def location(self) -> str:
        """The path that opens the store again."""
        return str(self._database.path)

    async def close(self) -> None:
        """Close the file and the embedder; idempotent."""
        await self._embedding.close()
        await asyncio.to_thread(self._database.close)

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def run() -> T:
            with self._database.read() as connection:
                return work(connection)

        return await asyncio.to_thread(run)

    async def _write(self, work: Callable[[WriteTransaction], T]) -> T:
        def run() -> T:
            with self._database.write() as transaction:
                return work(transaction)

        return await asyncio.to_thread(run)

    # Tags

    async def vocabulary(self) -> Vocabulary:
        """Return all tags as they are now (cached until they change)."""
        return await asyncio.to_thread(self._vocabulary.get)

    async def upsert_tags(self, tags: Sequence[Tag], progress: Progress | None = None) -> Writing:
        """Add or replace tags with their units."""
        return await self._upserter.upsert(ItemKind.TAG, tags, progress)

    async def retire_tags(self, ids: Sequence[str]) -> int:
        """Mark tags as retired: they are no longer output, and their history stays. Return how many changed."""
        return await self._write(lambda transaction: writes.retire(transaction, ids))

    async def delete_tags(self, ids: Sequence[str]) -> int:
        """Delete tags with their units and assignments. Return how many existed."""
        return await self._write(lambda transaction: writes.delete(transaction, ItemKind.TAG, ids))

    # Contents

    async def upsert_contents(
        self, contents: Sequence[TaggedContent], progress: Progress | None = None
    ) -> Writing:
        """Add or replace contents; text, vector and assignments of one content are written together.

        The given assignments replace those that the content had from the same provenance; the others stay. If an
        assignment is given without a time and differs in nothing else, the stored one's time stays.
        """
        done = await self._upserter.upsert(ItemKind.CONTENT, contents, progress)
        await self._upserter.recentre_when_due()
        return done

    async def get_contents(self, ids: Sequence[str]) -> list[TaggedContent]:
        """Return the contents that exist, in the order of ``ids``."""
        found = await self._read(lambda connection: rows.contents_of(connection, ids))
        return [found[content_id] for content_id in ids if content_id in found]

    async def delete_contents(self, ids: Sequence[str]) -> int:
        """Delete contents with their assignments. Return how many existed."""
        return await self._write(lambda transaction: writes.delete(transaction, ItemKind.CONTENT, ids))

    async def assign(self, content_id: str, assignments: Sequence[Assignment]) -> None:
        """Add assignments to a content that exists.

        A content has at most one human and one model assignment of each tag; a later one replaces it.

        Raises:
            StoreError: the content does not exist.
        """
        await self._write(lambda transaction: writes.assign(transaction, content_id, assignments))

    # Passages

    async def upsert_passages(self, passages: Sequence[Passage], progress: Progress | None = None) -> Writing:
        """Add or replace passages."""
        return await self._upserter.upsert(ItemKind.PASSAGE, passages, progress)

    async def get_passages(self, ids: Sequence[str]) -> list[Passage]:
        """Return the passages that exist, in the order of ``ids``."""
        found = await self._read(lambda connection: rows.passages_of(connection, ids))
        return [found[passage_id] for passage_id in ids if passage_id in found]

    async def passage_ids(self, source: str) -> list[str]:
        """Return the ids of all passages that were cut from a source, in the order in which they were added."""
        return await self._read(lambda connection: rows.passage_ids(connection, source))

    async def delete_passages(self, ids: Sequence[str]) -> int:
        """Delete passages. Return how many existed."""
        return await self._write(lambda transaction: writes.delete(transaction, ItemKind.PASSAGE, ids))

    # Marks

    async def get_mark(self, key: str) -> str | None:
        """Return a mark, or None if there is none."""
        return await self._read(lambda connection: rows.mark_of(connection, key))

    async def set_mark(self, key: str, value: str | None) -> None:
        """Save a mark; None removes it."""
        await self._write(lambda transaction: writes.set_mark(transaction, key, value))

    # Artifacts

    async def get_artifact(self, name: str) -> bytes | None:
        """Return an artifact, or None if there is none."""
        return await self._read(lambda connection: rows.artifact_of(connection, name))

    async def set_artifact(self, name: str, data: bytes | None) -> None:
        """Save an artifact, in place of one of the same name; None removes it."""
        await self._write(lambda transaction: writes.set_artifact(transaction, name, data))

    # Search and graph

    async def search_many(self, collection: Collection, queries: Sequence[SearchQuery]) -> list[list[Hit]]:
        """Search one collection with several queries at once, all against the same state of the store."""
        return await asyncio.to_thread(self._searcher.search, collection, queries)

    async def embed_queries(self, texts: Sequence[str]) -> list[Vector] | None:
        """Embed several texts to search with; return None in a store without embeddings."""
        state = await asyncio.to_thread(self._database.state)
        self._embedding.check(state.embedding, self._embedding.name)
        return await self._embedding.vectors(texts, EmbeddingKind.PASSAGE)

    async def assignments_of(self, content_ids: Sequence[str]) -> dict[str, tuple[Assignment, ...]]:
        """Return the assignments of each content; contents without any are left out."""
        found = await self._read(lambda connection: rows.assignments_of(connection, content_ids))
        return {content_id: tuple(assignments) for content_id, assignments in found.items()}

    async def contents_tagged(self, tag_id: str, limit: int, provenance: Provenance | None = None) -> list[str]:
        """Return the ids of contents that carry a tag, those with the newest assignment first."""
        return await self._read(lambda connection: graph.contents_tagged(connection, tag_id, limit, provenance))

    async def tag_counts(self) -> Mapping[str, TagCount]:
        """Return how often each tag was assigned (cached until assignments change)."""
        return await asyncio.to_thread(self._counts.get)

    async def cooccurring(self, tag_ids: Sequence[str], limit: int) -> dict[str, list[tuple[str, int]]]:
        """Return for each tag the tags that humans most often assigned to the same contents, with counts."""
        cache = await asyncio.to_thread(self._cooccurrences.get)
        return await self._read(lambda connection: cache.read(connection, tag_ids, limit))

    async def statistics(self) -> StoreStatistics:
        """Count the store's objects."""
        vocabulary = await self.vocabulary()
        return await self._read(lambda connection: graph.statistics(connection, self._database.path, vocabulary))

    # Moving and re-embedding

    def export(self) -> AsyncIterator[Record]:
        """Yield the whole store as it is at one moment: first the head, then everything else."""
        return transfer.export(self._database)

    def _import_target(self) -> ImportTarget:
        return transfer.FileTarget(self._database, self._upserter)

    async def _reembed(self, embedding: StoreEmbedding, progress: Progress | None) -> None:
        await Reembedder(self._database, embedding).run(progress)

    async def recentre(self) -> int:
        """Compute the mean of content vectors again and freeze it. Return its version."""
        return await self._write(stored_centre.recentre)
