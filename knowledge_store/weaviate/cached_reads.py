"""What is read from a store and cached until it changes: vocabulary, counts, co-occurrences, statistics."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from llm4tag.knowledge_store.protocol import StoreStatistics, TagCount
from llm4tag.knowledge_store.weaviate.connection import Connection
from llm4tag.knowledge_store.weaviate.layout import StorePart
from llm4tag.knowledge_store.weaviate.object_reads import scan
from llm4tag.knowledge_store.weaviate.server_errors import CollectionGone
from llm4tag.knowledge_store.weaviate.store_state import StateManager, WeaviateState, settled
from llm4tag.knowledge_store.weaviate.tag_graph import TagGraph
from llm4tag.schema import Tag, Vocabulary

T = TypeVar("T")

_MOST_COOCCURRENCES = 4096


class CachedReads:
    """Reads one store, and caches what its clocks show to be unchanged.

    Args:
        connection: the connection to the store's server.
        manager: reads the store's state.
        graph: reads what is not cached.
    """

    def __init__(self, connection: Connection, manager: StateManager, graph: TagGraph) -> None:
        self._connection = connection
        self._manager = manager
        self._graph = graph
        self._cached: dict[str, tuple[tuple[str, ...], Any]] = {}
        self._loading: dict[str, asyncio.Lock] = {}
        self._cooccurrences: dict[tuple[str, int], list[tuple[str, int]]] = {}
        self._cooccurrences_clock = ""

    async def reading(self, work: Callable[[WeaviateState], Awaitable[T]], *, fresh: bool = False) -> T:
        """Read by the state that was last read; if a collection was just replaced, read again from the new one."""
        try:
            return await work(await self._manager.state(fresh=fresh))
        except CollectionGone:
            return await work(await self._manager.state())

    async def _read_cached(
        self, what: str, clocks: Sequence[str], load: Callable[[WeaviateState], Awaitable[T]]
    ) -> T:
        """Return a value; it is read again if any of its clocks has changed."""
        async with self._loading.setdefault(what, asyncio.Lock()):
            state = await self._manager.state(fresh=False)
            now = tuple(state.clocks[clock] for clock in clocks)
            cached = self._cached.get(what)
            if cached is not None and cached[0] == now and all(settled(clock) for clock in now):
                value: T = cached[1]
                return value
            value = await self.reading(load)
            self._cached[what] = (now, value)
            return value

    async def vocabulary(self) -> Vocabulary:
        """Return all tags as they are now."""
        return await self._read_cached("vocabulary", ("tags",), self._load_vocabulary)

    async def _load_vocabulary(self, state: WeaviateState) -> Vocabulary:
        name = state.name(self._manager.store, StorePart.VOCABULARY)
        found = [
            each
            async for page in scan(self._connection, StorePart.VOCABULARY, name, vectors=False)
            for each in page
        ]
        found.sort(key=lambda each: (each.order, each.item.id))
        return Vocabulary(each.item for each in found if isinstance(each.item, Tag))

    async def tag_counts(self) -> dict[str, TagCount]:
        """Return how often each tag was assigned, by humans and by models."""
        return await self._read_cached("counts", ("assignments",), self._graph.tag_counts)

    async def cooccurring(self, tag_ids: Sequence[str], limit: int) -> dict[str, list[tuple[str, int]]]:
        """Return for each tag the tags that humans most often assigned to the same contents, with counts."""

        async def read(state: WeaviateState) -> dict[str, list[tuple[str, int]]]:
            return {tag_id: await self._graph.cooccurring(state, tag_id, limit) for tag_id in new}

        async with self._loading.setdefault("cooccurrences", asyncio.Lock()):
            clock = (await self._manager.state(fresh=False)).clocks["assignments"]
            cached = self._cooccurrences
            if clock != self._cooccurrences_clock or not settled(clock) or len(cached) > _MOST_COOCCURRENCES:
                cached = self._cooccurrences = {}
                self._cooccurrences_clock = clock
            new = [tag_id for tag_id in dict.fromkeys(tag_ids) if (tag_id, limit) not in cached]
            for tag_id, found in (await self.reading(read)).items():
                cached[tag_id, limit] = found
            return {tag_id: list(cached[tag_id, limit]) for tag_id in tag_ids}

    async def statistics(self, embedding: str) -> StoreStatistics:
        """Count the store's objects."""
        vocabulary, counts = await self.vocabulary(), await self.tag_counts()

        async def read(state: WeaviateState) -> StoreStatistics:
            return await self._graph.statistics(state, vocabulary, dict(counts), embedding)

        return await self._read_cached("statistics", ("tags", "assignments", "passages"), read)
