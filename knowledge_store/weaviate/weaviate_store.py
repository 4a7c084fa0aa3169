"""The knowledge store on a Weaviate server: the protocol over its collections."""

from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

from weaviate.classes.query import Filter

from llm4tag.knowledge_store.importer import Importer
from llm4tag.knowledge_store.items import Kind
from llm4tag.knowledge_store.protocol import Collection, Hit, SearchQuery, StoreStatistics, TagCount, Writing
from llm4tag.knowledge_store.records import Record
from llm4tag.knowledge_store.store_embedding import Embedders, StoreEmbedding, mismatch, name_of
from llm4tag.knowledge_store.weaviate.address import WeaviateLocation
from llm4tag.knowledge_store.weaviate.cached_reads import Kept
from llm4tag.knowledge_store.weaviate.connection import LOOP, Connection, on_loop
from llm4tag.knowledge_store.weaviate.facts import MARK
from llm4tag.knowledge_store.weaviate.layout import Part
from llm4tag.knowledge_store.weaviate.object_reads import by_id, matching
from llm4tag.knowledge_store.weaviate.search import Searcher
from llm4tag.knowledge_store.weaviate.setup import opened
from llm4tag.knowledge_store.weaviate.store_state import Keeper, State
from llm4tag.knowledge_store.weaviate.tag_graph import Graph
from llm4tag.knowledge_store.weaviate.transfer import ServerTarget, Spool
from llm4tag.knowledge_store.weaviate.writes import Writer
from llm4tag.models.embedder import EmbeddingKind, Progress, Vector
from llm4tag.schema import DEFAULT_EMBEDDING, Assignment, Passage, Provenance, Tag, TaggedContent, Vocabulary

T = TypeVar("T")


class WeaviateStore:
    """A knowledge store on a Weaviate server.

    Several processes may read and write: objects are written whole, and what one process writes the others see
    within a second. Use ``WeaviateStore.open``.
    """

    def __init__(
        self, connection: Connection, keeper: Keeper, embedding: StoreEmbedding, embedders: Embedders
    ) -> None:
        self._connection = connection
        self._keeper = keeper
        self._embedding = embedding
        self._embedders = embedders
        self._writer = Writer(connection, keeper, embedding)
        self._searcher = Searcher(connection, embedding)
        self._graph = Graph(connection)
        self._kept = Kept(connection, keeper, self._graph)

    @classmethod
    async def open(
        cls,
        location: WeaviateLocation,
        embedders: Embedders,
        *,
        embedding: str | None = None,
        default_embedding: str = DEFAULT_EMBEDDING,
        create: bool = False,
        migrate: bool = False,
    ) -> Self:
        """Open a store, or make one.

        Args:
            location: the server and the store's name.
            embedders: makes an embedder by name, None for ``none``.
            embedding: the model; None takes the one that the store recorded.
            default_embedding: the model of a new store when ``embedding`` is None.
            create: make the store where there is none.
            migrate: bring a store of an older version up to date.

        Raises:
            StoreNotFoundError: no store there, and ``create`` is false.
            StoreVersionError: a store of another version.
            EmbeddingMismatchError: a store that another model filled.
            StoreError: the server cannot be reached, refuses the key or is not ready.
        """
        asked = None if embedding is None else await StoreEmbedding.of(embedders, embedding, location.text)

        def name_for_new() -> str:
            return asked.name if asked is not None else name_of(embedders(default_embedding))

        try:
            connection, keeper, recorded = await LOOP.run(
                opened(location, name_for_new, create=create, migrate=migrate)
            )
            if asked is not None and asked.name != recorded:
                await LOOP.run(connection.close())
                raise mismatch(location.text, recorded, asked.name)
        except BaseException:
            if asked is not None:
                await asked.close()
            raise
        return cls(connection, keeper, asked or StoreEmbedding(embedders, recorded, location.text), embedders)

    @property
    def location(self) -> str:
        """The URL that opens it again."""
        return self._connection.location.text

    @property
    def embedding(self) -> str:
        """Name of the embedding model that filled the store, or ``none``."""
        return self._embedding.name

    @on_loop
    async def close(self) -> None:
        """Close the connection and the embedder; idempotent."""
        await self._embedding.close()
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # Tags

    @on_loop
    async def vocabulary(self) -> Vocabulary:
        """Return all tags, as they stand now (cached until they change)."""
        return await self._kept.vocabulary()

    @on_loop
    async def upsert_tags(self, tags: Sequence[Tag], progress: Progress | None = None) -> Writing:
        """Add or replace tags with their units."""
        return await self._writer.upsert(Kind.TAG, tags, progress)

    @on_loop
    async def retire_tags(self, ids: Sequence[str]) -> int:
        """Mark tags as retired: never output, history kept. Returns how many changed."""
        return await self._writer.retire(ids)

    @on_loop
    async def delete_tags(self, ids: Sequence[str]) -> int:
        """Delete tags with their units and assignments. Returns how many were there."""
        return await self._writer.delete(Kind.TAG, ids)

    # Contents

    @on_loop
    async def upsert_contents(
        self, contents: Sequence[TaggedContent], progress: Progress | None = None
    ) -> Writing:
        """Add or replace contents; text, vector and assignments of one content are one object.

        The given assignments replace those the content had from the same provenance; the others stay. An
        assignment that was given no time keeps the stored one's when nothing else of it differs.
        """
        done = await self._writer.upsert(Kind.CONTENT, contents, progress)
        if done.added:
            await self._writer.recentre_when_due()
        return done

    @on_loop
    async def get_contents(self, ids: Sequence[str]) -> list[TaggedContent]:
        """Return the contents that exist, in the order of ``ids``."""
        return [item for item in await self._get(Part.CONTENTS, ids) if isinstance(item, TaggedContent)]

    async def _get(self, part: Part, ids: Sequence[str]) -> list[object]:
        found = await self._kept.reading(
            lambda state: by_id(self._connection, part, state.name(self._keeper.store, part), ids)
        )
        return [found[object_id].item for object_id in ids if object_id in found]

    @on_loop
    async def delete_contents(self, ids: Sequence[str]) -> int:
        """Delete contents with their assignments. Returns how many were there."""
        return await self._writer.delete(Kind.CONTENT, ids)

    @on_loop
    async def assign(self, content_id: str, assignments: Sequence[Assignment]) -> None:
        """Add assignments to a content that exists.

        One tag holds at most one human and one model assignment a content; the later one replaces.

        Raises:
            StoreError: no such content.
        """
        await self._writer.assign(content_id, assignments)

    # Passages

    @on_loop
    async def upsert_passages(self, passages: Sequence[Passage], progress: Progress | None = None) -> Writing:
        """Add or replace passages."""
        return await self._writer.upsert(Kind.PASSAGE, passages, progress)

    @on_loop
    async def get_passages(self, ids: Sequence[str]) -> list[Passage]:
        """Return the passages that exist, in the order of ``ids``."""
        return [item for item in await self._get(Part.PASSAGES, ids) if isinstance(item, Passage)]

    @on_loop
    async def passage_ids(self, source: str) -> list[str]:
        """Return the ids of all passages cut from a source, in the order they were added."""

        async def read(state: State) -> list[str]:
            name = state.name(self._keeper.store, Part.PASSAGES)
            where = Filter.by_property("source").equal(source)
            return [str(each.properties["key"]) async for each in matching(self._connection, name, where, ["key"])]

        return await self._kept.reading(read)

    @on_loop
    async def delete_passages(self, ids: Sequence[str]) -> int:
        """Delete passages. Returns how many were there."""
        return await self._writer.delete(Kind.PASSAGE, ids)

    # Marks and artifacts

    @on_loop
    async def get_mark(self, key: str) -> str | None:
        """Return a mark, or None."""
        return await self._keeper.facts.get(MARK, key)

    @on_loop
    async def set_mark(self, key: str, value: str | None) -> None:
        """Set a mark, or remove it with None."""
        if value is None:
            await self._keeper.facts.remove(MARK, [key])
        else:
            await self._keeper.facts.set_many({(MARK, key): value})

    @on_loop
    async def get_artifact(self, name: str) -> bytes | None:
        """Return an artifact, or None."""
        return await self._keeper.facts.get_artifact(name)

    @on_loop
    async def set_artifact(self, name: str, data: bytes | None) -> None:
        """Keep an artifact, in place of one of the same name, or remove it with None."""
        await self._keeper.facts.set_artifact(name, data)

    # Search and graph

    async def search(self, collection: Collection, query: SearchQuery) -> list[Hit]:
        """Search one collection. Hits among units are ``UnitHit``; groups and retired tags never appear.

        Raises:
            UsageError: a filter or property that the collection does not have, or an unknown parent.
        """
        return (await self.search_many(collection, [query]))[0]

    @on_loop
    async def search_many(self, collection: Collection, queries: Sequence[SearchQuery]) -> list[list[Hit]]:
        """Search one collection with several queries side by side."""
        nested = any(query.filters.within is not None for query in queries)
        vocabulary = await self.vocabulary() if nested else None
        return await self._kept.reading(
            lambda state: self._searcher.search(state, vocabulary, collection, queries)
        )

    @on_loop
    async def embed_query(self, text: str) -> Vector | None:
        """Embed a content to search with; None in a store without embeddings."""
        found = await self.embed_queries([text])
        return None if found is None else found[0]

    @on_loop
    async def embed_queries(self, texts: Sequence[str]) -> list[Vector] | None:
        """Embed several texts to search with, or None in a store without embeddings."""
        state = await self._keeper.state()
        self._embedding.check(state.shape.embedding, self._embedding.name)
        return await self._embedding.vectors(texts, EmbeddingKind.PASSAGE)

    @on_loop
    async def assignments_of(self, content_ids: Sequence[str]) -> dict[str, tuple[Assignment, ...]]:
        """Return the assignments of contents; contents without any are left out."""
        found = await self._get(Part.CONTENTS, content_ids)
        return {
            item.id: item.assignments for item in found if isinstance(item, TaggedContent) and item.assignments
        }

    @on_loop
    async def contents_tagged(self, tag_id: str, limit: int, provenance: Provenance | None = None) -> list[str]:
        """Return ids of contents that carry a tag, newest assignment first."""
        return await self._kept.reading(
            lambda state: self._graph.contents_tagged(state, tag_id, limit, provenance)
        )

    @on_loop
    async def tag_counts(self) -> Mapping[str, TagCount]:
        """Return how often each tag was assigned (cached until assignments change)."""
        return await self._kept.tag_counts()

    @on_loop
    async def cooccurring(self, tag_ids: Sequence[str], limit: int) -> dict[str, list[tuple[str, int]]]:
        """Return for each tag the tags most often assigned by humans to the same contents, with counts."""
        return await self._kept.cooccurring(tag_ids, limit)

    @on_loop
    async def statistics(self) -> StoreStatistics:
        """Count what is there (cached until something changes)."""
        return await self._kept.statistics(self.embedding)

    # Moving and re-embedding

    async def export(self) -> AsyncIterator[Record]:
        """Yield the whole store as it is at one moment: the head first, then all else."""
        spool = Spool()
        await LOOP.run(spool.fill(self._connection, self._keeper))
        async for record in spool.records():
            yield record

    async def import_records(self, records: AsyncIterator[Record], progress: Progress | None = None) -> Writing:
        """Write exported records; vectors are kept where the embedding model is the same."""
        target = ServerTarget(self._connection, self._keeper, self._writer)
        return await Importer(target, self._embedding.name).run(records, progress)

    @on_loop
    async def reembed(self, embedding: str, progress: Progress | None = None) -> None:
        """Embed everything anew with another model (or ``none``); searches see the old until all is done.

        Resumable: vectors computed before an interruption come from the embedding cache.
        """
        new = await StoreEmbedding.of(self._embedders, embedding, self.location)
        try:
            await self._writer.reembed(new, progress)
        except BaseException:
            await new.close()
            raise
        await self._embedding.become(new)

    @on_loop
    async def recentre(self) -> int:
        """Compute the mean of content vectors anew and freeze it. Returns its version."""
        await self._writer.recentre()
        return (await self._keeper.state()).shape.centre_version
