"""The knowledge store on a Weaviate server: the protocol of a store on the server's collections."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Self, TypeVar

from weaviate.classes.query import Filter

from llm4tag.knowledge_store.importer import ImportTarget
from llm4tag.knowledge_store.items import ItemKind
from llm4tag.knowledge_store.location import WeaviateLocation
from llm4tag.knowledge_store.protocol import Collection, Hit, SearchQuery, StoreStatistics, TagCount
from llm4tag.knowledge_store.records import Record, Writing
from llm4tag.knowledge_store.store_base import StoreBase
from llm4tag.knowledge_store.store_embedding import Embedders, RequestedEmbedding, StoreEmbedding
from llm4tag.knowledge_store.weaviate.cached_reads import CachedReads
from llm4tag.knowledge_store.weaviate.connection import LOOP, Connection, on_loop
from llm4tag.knowledge_store.weaviate.key_values import MARK
from llm4tag.knowledge_store.weaviate.layout import StorePart
from llm4tag.knowledge_store.weaviate.object_reads import by_id, matching
from llm4tag.knowledge_store.weaviate.search import ServerSearcher
from llm4tag.knowledge_store.weaviate.setup import connected_store
from llm4tag.knowledge_store.weaviate.store_state import StateManager, WeaviateState
from llm4tag.knowledge_store.weaviate.tag_graph import TagGraph
from llm4tag.knowledge_store.weaviate.transfer import ServerTarget, Spool
from llm4tag.knowledge_store.weaviate.writes import ServerWriter
from llm4tag.models.embedder import EmbeddingKind, Progress, Vector
from llm4tag.schema import DEFAULT_EMBEDDING, Assignment, Passage, Provenance, Tag, TaggedContent, Vocabulary

T = TypeVar("T")


class WeaviateStore(StoreBase):
    """A knowledge store on a Weaviate server. Open one by ``WeaviateStore.open``.

    Several processes may read and write: objects are written whole, and other processes see them within a second.
    """

    def __init__(
        self, connection: Connection, manager: StateManager, embedding: StoreEmbedding, embedders: Embedders
    ) -> None:
        super().__init__(embedding, embedders)
        self._connection = connection
        self._manager = manager
        self._writer = ServerWriter(connection, manager, embedding)
        self._searcher = ServerSearcher(connection, embedding)
        self._graph = TagGraph(connection)
        self._unindexed = CachedReads(connection, manager, self._graph)

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
        """Open a store, or make a new one.

        Args:
            location: the server and the store's name.
            embedders: makes an embedder by name, None for ``none``.
            embedding: name of the embedding model; None takes the one that the store recorded.
            default_embedding: the model of a new store if ``embedding`` is None.
            create: make the store if there is none.
            migrate: bring a store of an older version up to date.

        Raises:
            StoreNotFoundError: there is no store, and ``create`` is false.
            StoreVersionError: the store has another version.
            EmbeddingMismatchError: another model filled the store.
            StoreError: the server cannot be reached, refuses the key or is not ready.
        """
        requested = await RequestedEmbedding.make(embedders, embedding, default_embedding, location.text)
        try:
            connection, manager, recorded = await LOOP.run(
                connected_store(location, requested.name_for_new, create=create, migrate=migrate)
            )
            try:
                return cls(connection, manager, requested.agreed(recorded), embedders)
            except BaseException:
                await LOOP.run(connection.close())
                raise
        except BaseException:
            await requested.close()
            raise

    @property
    def location(self) -> str:
        """The address that opens the store again."""
        return self._connection.location.text

    @on_loop
    async def close(self) -> None:
        """Close the connection and the embedder; idempotent."""
        await self._embedding.close()
        await self._connection.close()

    # Tags

    @on_loop
    async def vocabulary(self) -> Vocabulary:
        """Return all tags as they are now (cached until they change)."""
        return await self._unindexed.vocabulary()

    @on_loop
    async def upsert_tags(self, tags: Sequence[Tag], progress: Progress | None = None) -> Writing:
        """Add or replace tags with their units."""
        return await self._writer.upsert(ItemKind.TAG, tags, progress)

    @on_loop
    async def retire_tags(self, ids: Sequence[str]) -> int:
        """Mark tags as retired: they are no longer output, and their history stays. Return how many changed."""
        return await self._writer.retire(ids)

    @on_loop
    async def delete_tags(self, ids: Sequence[str]) -> int:
        """Delete tags with their units and assignments. Return how many existed."""
        return await self._writer.delete(ItemKind.TAG, ids)

    # Contents

    @on_loop
    async def upsert_contents(
        self, contents: Sequence[TaggedContent], progress: Progress | None = None
    ) -> Writing:
        """Add or replace contents; text, vector and assignments of one content are one object.

        The given assignments replace those that the content had from the same provenance; the others stay. If an
        assignment is given without a time and differs in nothing else, the stored one's time stays.
        """
        done = await self._writer.upsert(ItemKind.CONTENT, contents, progress)
        if done.added:
            await self._writer.recentre_when_due()
        return done

    @on_loop
    async def get_contents(self, ids: Sequence[str]) -> list[TaggedContent]:
        """Return the contents that exist, in the order of ``ids``."""
        return [item for item in await self._get(StorePart.CONTENTS, ids) if isinstance(item, TaggedContent)]

    async def _get(self, part: StorePart, ids: Sequence[str]) -> list[object]:
        found = await self._unindexed.reading(
            lambda state: by_id(self._connection, part, state.name(self._manager.store, part), ids)
        )
        return [found[object_id].item for object_id in ids if object_id in found]

    @on_loop
    async def delete_contents(self, ids: Sequence[str]) -> int:
        """Delete contents with their assignments. Return how many existed."""
        return await self._writer.delete(ItemKind.CONTENT, ids)

    @on_loop
    async def assign(self, content_id: str, assignments: Sequence[Assignment]) -> None:
        """Add assignments to a content that exists.

        A content has at most one human and one model assignment of each tag; a later one replaces it.

        Raises:
            StoreError: the content does not exist.
        """
        await self._writer.assign(content_id, assignments)

    # Passages

    @on_loop
    async def upsert_passages(self, passages: Sequence[Passage], progress: Progress | None = None) -> Writing:
        """Add or replace passages."""
        return await self._writer.upsert(ItemKind.PASSAGE, passages, progress)

    @on_loop
    async def get_passages(self, ids: Sequence[str]) -> list[Passage]:
        """Return the passages that exist, in the order of ``ids``."""
        return [item for item in await self._get(StorePart.PASSAGES, ids) if isinstance(item, Passage)]

    @on_loop
    async def passage_ids(self, source: str) -> list[str]:
        """Return the ids of all passages that were cut from a source, in the order in which they were added."""

        async def read(state: WeaviateState) -> list[str]:
            name = state.name(self._manager.store, StorePart.PASSAGES)
            where = Filter.by_property("source").equal(source)
            return [str(each.properties["key"]) async for each in matching(self._connection, name, where, ["key"])]

        return await self._unindexed.reading(read)

    @on_loop
    async def delete_passages(self, ids: Sequence[str]) -> int:
        """Delete passages. Return how many existed."""
        return await self._writer.delete(ItemKind.PASSAGE, ids)

    # Marks and artifacts

    @on_loop
    async def get_mark(self, key: str) -> str | None:
        """Return a mark, or None if there is none."""
        return await self._manager.key_values.get(MARK, key)

    @on_loop
    async def set_mark(self, key: str, value: str | None) -> None:
        """Save a mark; None removes it."""
        if value is None:
            await self._manager.key_values.remove(MARK, [key])
        else:
            await self._manager.key_values.set_many({(MARK, key): value})

    @on_loop
    async def get_artifact(self, name: str) -> bytes | None:
        """Return an artifact, or None if there is none."""
        return await self._manager.key_values.get_artifact(name)

    @on_loop
    async def set_artifact(self, name: str, data: bytes | None) -> None:
        """Save an artifact, in place of one of the same name; None removes it."""
        await self._manager.key_values.set_artifact(name, data)

    # Search and graph

    @on_loop
    async def search_many(self, collection: Collection, queries: Sequence[SearchQuery]) -> list[list[Hit]]:
        """Search one collection with several queries at the same time."""
        nested = any(query.filters.within is not None for query in queries)
        vocabulary = await self.vocabulary() if nested else None
        return await self._unindexed.reading(
            lambda state: self._searcher.search(state, vocabulary, collection, queries)
        )

    @on_loop
    async def embed_queries(self, texts: Sequence[str]) -> list[Vector] | None:
        """Embed several texts to search with; return None in a store without embeddings."""
        state = await self._manager.state()
        self._embedding.check(state.metadata.embedding, self._embedding.name)
        return await self._embedding.vectors(texts, EmbeddingKind.PASSAGE)

    @on_loop
    async def assignments_of(self, content_ids: Sequence[str]) -> dict[str, tuple[Assignment, ...]]:
        """Return the assignments of each content; contents without any are left out."""
        found = await self._get(StorePart.CONTENTS, content_ids)
        return {
            item.id: item.assignments for item in found if isinstance(item, TaggedContent) and item.assignments
        }

    @on_loop
    async def contents_tagged(self, tag_id: str, limit: int, provenance: Provenance | None = None) -> list[str]:
        """Return the ids of contents that carry a tag, those with the newest assignment first."""
        return await self._unindexed.reading(
            lambda state: self._graph.contents_tagged(state, tag_id, limit, provenance)
        )

    @on_loop
    async def tag_counts(self) -> Mapping[str, TagCount]:
        """Return how often each tag was assigned (cached until assignments change)."""
        return await self._unindexed.tag_counts()

    @on_loop
    async def cooccurring(self, tag_ids: Sequence[str], limit: int) -> dict[str, list[tuple[str, int]]]:
        """Return for each tag the tags that humans most often assigned to the same contents, with counts."""
        return await self._unindexed.cooccurring(tag_ids, limit)

    @on_loop
    async def statistics(self) -> StoreStatistics:
        """Count the store's objects (cached until something changes)."""
        return await self._unindexed.statistics(self.embedding)

    # Moving and re-embedding

    async def export(self) -> AsyncIterator[Record]:
        """Yield the whole store as it is at one moment: first the head, then everything else."""
        spool = Spool()
        await LOOP.run(spool.fill(self._connection, self._manager))
        async for record in spool.records():
            yield record

    def _import_target(self) -> ImportTarget:
        return ServerTarget(self._connection, self._manager, self._writer)

    @on_loop
    async def reembed(self, embedding: str, progress: Progress | None = None) -> None:
        """Embed everything again with another model (or ``none``); searches see the old vectors until all is done.

        It can be resumed: vectors that were computed before an interruption come from the embedding cache.
        """
        # On the loop of the client, to which the embedders of the store belong too.
        await super().reembed(embedding, progress)

    async def _reembed(self, embedding: StoreEmbedding, progress: Progress | None) -> None:
        await self._writer.reembed(embedding, progress)

    @on_loop
    async def recentre(self) -> int:
        """Compute the mean of content vectors again and freeze it. Return its version."""
        await self._writer.recentre()
        return (await self._manager.state()).metadata.centre_version
