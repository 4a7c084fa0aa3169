"""The embedded knowledge store: the protocol over one file."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from llm4tag.knowledge_store.embedded import centre as centring
from llm4tag.knowledge_store.embedded import table_rows as rows
from llm4tag.knowledge_store.embedded import tag_graph as graph
from llm4tag.knowledge_store.embedded import transfer
from llm4tag.knowledge_store.embedded import writes as writing
from llm4tag.knowledge_store.embedded.database import Database, Followed, Writer
from llm4tag.knowledge_store.embedded.reembedder import Reembedder
from llm4tag.knowledge_store.embedded.search import Searcher
from llm4tag.knowledge_store.embedded.statistics import count_all
from llm4tag.knowledge_store.embedded.upserts import Upserter
from llm4tag.knowledge_store.importer import Importer
from llm4tag.knowledge_store.items import Kind
from llm4tag.knowledge_store.protocol import Collection, Hit, SearchQuery, StoreStatistics, TagCount, Writing
from llm4tag.knowledge_store.records import Record
from llm4tag.knowledge_store.store_embedding import Embedders, StoreEmbedding, mismatch, name_of
from llm4tag.models.embedder import EmbeddingKind, Progress, Vector
from llm4tag.schema import DEFAULT_EMBEDDING, Assignment, Passage, Provenance, Tag, TaggedContent, Vocabulary

T = TypeVar("T")


class EmbeddedStore:
    """A knowledge store in one SQLite file, searched by exact indexes in memory.

    Several processes may read while one writes, several threads and event loops may use one object; all blocking
    work is done in threads. Use ``EmbeddedStore.open``.
    """

    def __init__(self, database: Database, embedding: StoreEmbedding, embedders: Embedders) -> None:
        self._database = database
        self._embedding = embedding
        self._embedders = embedders
        self._upserter = Upserter(database, embedding)
        self._vocabulary = Followed(
            database, lambda state: state.tags, lambda connection: Vocabulary(rows.tags_of(connection).values())
        )
        self._counts = Followed(database, lambda state: state.assignments, graph.tag_counts)
        self._links = Followed(database, lambda state: state.assignments, lambda _: graph.Links())
        self._searcher = Searcher(database, embedding, self._vocabulary.get)

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
        """Open a store, or make one.

        Args:
            path: the file.
            embedders: makes an embedder by name, None for ``none``.
            embedding: the model; None takes the one that the store recorded.
            default_embedding: the model of a new store when ``embedding`` is None.
            create: make the store where there is none.
            busy_seconds: how long to wait while another process writes.

        Raises:
            StoreNotFoundError: no store there, and ``create`` is false.
            StoreVersionError: a store of another version.
            EmbeddingMismatchError: a store that another model filled.
            StoreError: not a store, or it cannot be read.
        """
        location = str(path)
        asked = None if embedding is None else await StoreEmbedding.of(embedders, embedding, location)

        def name_for_new() -> str:
            return asked.name if asked is not None else name_of(embedders(default_embedding))

        database = await asyncio.to_thread(
            lambda: Database(path, create=create, embedding=name_for_new, busy_seconds=busy_seconds)
        )
        recorded = (await asyncio.to_thread(database.state)).embedding
        if asked is not None and asked.name != recorded:
            await asyncio.to_thread(database.close)
            await asked.close()
            raise mismatch(location, recorded, asked.name)
        return cls(database, asked or StoreEmbedding(embedders, recorded, location), embedders)

    @property
    def location(self) -> str:
        """The path that opens it again."""
        return str(self._database.path)

    @property
    def embedding(self) -> str:
        """Name of the embedding model that filled the store, or ``none``."""
        return self._embedding.name

    async def close(self) -> None:
        """Close the file and the embedder; idempotent."""
        await self._embedding.close()
        await asyncio.to_thread(self._database.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def run() -> T:
            with self._database.read() as connection:
                return work(connection)

        return await asyncio.to_thread(run)

    async def _write(self, work: Callable[[Writer], T]) -> T:
        def run() -> T:
            with self._database.write() as writer:
                return work(writer)

        return await asyncio.to_thread(run)

    # Tags

    async def vocabulary(self) -> Vocabulary:
        """Return all tags, as they stand now (cached until they change)."""
        return await asyncio.to_thread(self._vocabulary.get)

    async def upsert_tags(self, tags: Sequence[Tag], progress: Progress | None = None) -> Writing:
        """Add or replace tags with their units."""
        return await self._upserter.upsert(Kind.TAG, tags, progress)

    async def retire_tags(self, ids: Sequence[str]) -> int:
        """Mark tags as retired: never output, history kept. Returns how many changed."""
        return await self._write(lambda writer: writing.retire(writer, ids))

    async def delete_tags(self, ids: Sequence[str]) -> int:
        """Delete tags with their units and assignments. Returns how many were there."""
        return await self._write(lambda writer: writing.delete(writer, Kind.TAG, ids))

    # Contents

    async def upsert_contents(
        self, contents: Sequence[TaggedContent], progress: Progress | None = None
    ) -> Writing:
        """Add or replace contents; text, vector and assignments of one content are written together.

        The given assignments replace those the content had from the same provenance; the others stay. An
        assignment that was given no time keeps the stored one's when nothing else of it differs.
        """
        done = await self._upserter.upsert(Kind.CONTENT, contents, progress)
        await self._upserter.recentre_when_due()
        return done

    async def get_contents(self, ids: Sequence[str]) -> list[TaggedContent]:
        """Return the contents that exist, in the order of ``ids``."""
        found = await self._read(lambda connection: rows.contents_of(connection, ids))
        return [found[content_id] for content_id in ids if content_id in found]

    async def delete_contents(self, ids: Sequence[str]) -> int:
        """Delete contents with their assignments. Returns how many were there."""
        return await self._write(lambda writer: writing.delete(writer, Kind.CONTENT, ids))

    async def assign(self, content_id: str, assignments: Sequence[Assignment]) -> None:
        """Add assignments to a content that exists.

        One tag holds at most one human and one model assignment a content; the later one replaces.

        Raises:
            StoreError: no such content.
        """
        await self._write(lambda writer: writing.assign(writer, content_id, assignments))

    # Passages

    async def upsert_passages(self, passages: Sequence[Passage], progress: Progress | None = None) -> Writing:
        """Add or replace passages."""
        return await self._upserter.upsert(Kind.PASSAGE, passages, progress)

    async def get_passages(self, ids: Sequence[str]) -> list[Passage]:
        """Return the passages that exist, in the order of ``ids``."""
        found = await self._read(lambda connection: rows.passages_of(connection, ids))
        return [found[passage_id] for passage_id in ids if passage_id in found]

    async def passage_ids(self, source: str) -> list[str]:
        """Return the ids of all passages cut from a source, in the order they were added."""
        return await self._read(lambda connection: rows.passage_ids(connection, source))

    async def delete_passages(self, ids: Sequence[str]) -> int:
        """Delete passages. Returns how many were there."""
        return await self._write(lambda writer: writing.delete(writer, Kind.PASSAGE, ids))

    # Marks

    async def get_mark(self, key: str) -> str | None:
        """Return a mark, or None."""
        return await self._read(lambda connection: rows.mark_of(connection, key))

    async def set_mark(self, key: str, value: str | None) -> None:
        """Set a mark, or remove it with None."""
        await self._write(lambda writer: writing.set_mark(writer, key, value))

    # Artifacts

    async def get_artifact(self, name: str) -> bytes | None:
        """Return an artifact, or None."""
        return await self._read(lambda connection: rows.artifact_of(connection, name))

    async def set_artifact(self, name: str, data: bytes | None) -> None:
        """Keep an artifact, in place of one of the same name, or remove it with None."""
        await self._write(lambda writer: writing.set_artifact(writer, name, data))

    # Search and graph

    async def search(self, collection: Collection, query: SearchQuery) -> list[Hit]:
        """Search one collection. Hits among units are ``UnitHit``; groups and retired tags never appear.

        Raises:
            UsageError: a filter or property that the collection does not have, or an unknown parent.
        """
        return (await self.search_many(collection, [query]))[0]

    async def search_many(self, collection: Collection, queries: Sequence[SearchQuery]) -> list[list[Hit]]:
        """Search one collection with several queries at once, all against the same state of the store."""
        return await asyncio.to_thread(self._searcher.search, collection, queries)

    async def embed_query(self, text: str) -> Vector | None:
        """Embed a content to search with; None in a store without embeddings."""
        await self._check_embedding()
        found = await self._embedding.vectors([text], EmbeddingKind.PASSAGE)
        return None if found is None else found[0]

    async def embed_queries(self, texts: Sequence[str]) -> list[Vector] | None:
        """Embed several texts to search with, or None in a store without embeddings."""
        await self._check_embedding()
        return await self._embedding.vectors(texts, EmbeddingKind.PASSAGE)

    async def _check_embedding(self) -> None:
        state = await asyncio.to_thread(self._database.state)
        self._embedding.check(state.embedding, self._embedding.name)

    async def assignments_of(self, content_ids: Sequence[str]) -> dict[str, tuple[Assignment, ...]]:
        """Return the assignments of contents; contents without any are left out."""
        found = await self._read(lambda connection: rows.assignments_of(connection, content_ids))
        return {content_id: tuple(assignments) for content_id, assignments in found.items()}

    async def contents_tagged(self, tag_id: str, limit: int, provenance: Provenance | None = None) -> list[str]:
        """Return ids of contents that carry a tag, newest assignment first."""
        return await self._read(lambda connection: graph.contents_tagged(connection, tag_id, limit, provenance))

    async def tag_counts(self) -> Mapping[str, TagCount]:
        """Return how often each tag was assigned (cached until assignments change)."""
        return await asyncio.to_thread(self._counts.get)

    async def cooccurring(self, tag_ids: Sequence[str], limit: int) -> dict[str, list[tuple[str, int]]]:
        """Return for each tag the tags most often assigned by humans to the same contents, with counts."""
        links = await asyncio.to_thread(self._links.get)
        return await self._read(lambda connection: links.of(connection, tag_ids, limit))

    async def statistics(self) -> StoreStatistics:
        """Count what is there."""
        vocabulary = await self.vocabulary()
        return await self._read(lambda connection: count_all(connection, self._database.path, vocabulary))

    # Moving and re-embedding

    def export(self) -> AsyncIterator[Record]:
        """Yield the whole store as it is at one moment: the head first, then all else."""
        return transfer.export(self._database)

    async def import_records(self, records: AsyncIterator[Record], progress: Progress | None = None) -> Writing:
        """Write exported records; vectors are kept where the embedding model is the same."""
        target = transfer.FileTarget(self._database, self._upserter)
        return await Importer(target, self._embedding.name).run(records, progress)

    async def reembed(self, embedding: str, progress: Progress | None = None) -> None:
        """Embed everything anew with another model (or ``none``); searches see the old until all is done.

        Resumable: vectors computed before an interruption come from the embedding cache.
        """
        new = await StoreEmbedding.of(self._embedders, embedding, self.location)
        try:
            await Reembedder(self._database, new).run(progress)
        except BaseException:
            await new.close()
            raise
        await self._embedding.become(new)

    async def recentre(self) -> int:
        """Compute the mean of content vectors anew and freeze it. Returns its version."""
        return await self._write(centring.recentre)
