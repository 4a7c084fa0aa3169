"""What is read of a store and kept until it changes: vocabulary, counts, links, statistics."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from llm4tag.knowledge_store.protocol import StoreStatistics, TagCount
from llm4tag.knowledge_store.weaviate.connection import Connection
from llm4tag.knowledge_store.weaviate.layout import Part
from llm4tag.knowledge_store.weaviate.object_reads import scan
from llm4tag.knowledge_store.weaviate.server_errors import CollectionGone
from llm4tag.knowledge_store.weaviate.store_state import Keeper, State, settled
from llm4tag.knowledge_store.weaviate.tag_graph import Graph
from llm4tag.schema import Tag, Vocabulary

T = TypeVar("T")

_MOST_LINKS = 4096


class Kept:
    """Reads one store, and keeps what its clocks say has not changed.

    Args:
        connection: to its server.
        keeper: of its state.
        graph: answers what is not kept.
    """

    def __init__(self, connection: Connection, keeper: Keeper, graph: Graph) -> None:
        self._connection = connection
        self._keeper = keeper
        self._graph = graph
        self._kept: dict[str, tuple[tuple[str, ...], Any]] = {}
        self._loading: dict[str, asyncio.Lock] = {}
        self._links: dict[tuple[str, int], list[tuple[str, int]]] = {}
        self._links_at = ""

    async def reading(self, work: Callable[[State], Awaitable[T]], *, fresh: bool = False) -> T:
        """Read by what is known of the state; where a collection has just been replaced, by the new one."""
        try:
            return await work(await self._keeper.state(fresh=fresh))
        except CollectionGone:
            return await work(await self._keeper.state())

    async def _followed(self, what: str, clocks: Sequence[str], load: Callable[[State], Awaitable[T]]) -> T:
        """Return a value that is read anew when any of its clocks has moved."""
        async with self._loading.setdefault(what, asyncio.Lock()):
            state = await self._keeper.state(fresh=False)
            now = tuple(state.clocks[clock] for clock in clocks)
            kept = self._kept.get(what)
            if kept is not None and kept[0] == now and all(settled(clock) for clock in now):
                value: T = kept[1]
                return value
            value = await self.reading(load)
            self._kept[what] = (now, value)
            return value

    async def vocabulary(self) -> Vocabulary:
        """Return all tags, as they stand now."""
        return await self._followed("vocabulary", ("tags",), self._load_vocabulary)

    async def _load_vocabulary(self, state: State) -> Vocabulary:
        name = state.name(self._keeper.store, Part.VOCABULARY)
        found = [
            each async for page in scan(self._connection, Part.VOCABULARY, name, vectors=False) for each in page
        ]
        found.sort(key=lambda each: (each.order, each.item.id))
        return Vocabulary(each.item for each in found if isinstance(each.item, Tag))

    async def tag_counts(self) -> dict[str, TagCount]:
        """Return how often each tag was assigned."""
        return await self._followed("counts", ("assignments",), self._graph.tag_counts)

    async def cooccurring(self, tag_ids: Sequence[str], limit: int) -> dict[str, list[tuple[str, int]]]:
        """Return for each tag the tags most often assigned by humans to the same contents, with counts."""

        async def read(state: State) -> dict[str, list[tuple[str, int]]]:
            return {tag_id: await self._graph.cooccurring(state, tag_id, limit) for tag_id in new}

        async with self._loading.setdefault("links", asyncio.Lock()):
            clock = (await self._keeper.state(fresh=False)).clocks["assignments"]
            if clock != self._links_at or not settled(clock) or len(self._links) > _MOST_LINKS:
                self._links, self._links_at = {}, clock
            new = [tag_id for tag_id in dict.fromkeys(tag_ids) if (tag_id, limit) not in self._links]
            for tag_id, found in (await self.reading(read)).items():
                self._links[tag_id, limit] = found
            return {tag_id: list(self._links[tag_id, limit]) for tag_id in tag_ids}

    async def statistics(self, embedding: str) -> StoreStatistics:
        """Count what is there."""
        vocabulary, counts = await self.vocabulary(), await self.tag_counts()

        async def read(state: State) -> StoreStatistics:
            return await self._graph.statistics(state, vocabulary, dict(counts), embedding)

        return await self._followed("statistics", ("tags", "assignments", "passages"), read)
