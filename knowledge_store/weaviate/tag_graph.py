"""Which contents carry which tags, and the numbers of a store's objects, by the server's filters and groups."""

from collections.abc import Sequence
from typing import Any

from weaviate.classes.aggregate import GroupByAggregate
from weaviate.classes.query import Filter

from llm4tag.knowledge_store.items import vocabulary_counts
from llm4tag.knowledge_store.protocol import StoreStatistics, TagCount
from llm4tag.knowledge_store.weaviate.connection import Connection
from llm4tag.knowledge_store.weaviate.layout import StorePart
from llm4tag.knowledge_store.weaviate.object_reads import count, matching
from llm4tag.knowledge_store.weaviate.objects import unpacked
from llm4tag.knowledge_store.weaviate.store_state import WeaviateState
from llm4tag.schema import Provenance, Vocabulary

_MOST_GROUPS = 1_000_000
_LISTS = {Provenance.HUMAN: "human_tags", Provenance.MODEL: "model_tags"}


class TagGraph:
    """Reads which contents of one store carry which tags.

    Args:
        connection: the connection to the store's server.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _contents(self, state: WeaviateState) -> str:
        return state.name(self._connection.location.name, StorePart.CONTENTS)

    async def _grouped(self, state: WeaviateState, name: str, where: Any = None) -> dict[str, int]:
        """Return the number of contents for each value of a list property."""
        handle = self._connection.collection(self._contents(state))
        found = await self._connection.call(
            lambda _: handle.aggregate.over_all(
                group_by=GroupByAggregate(prop=name, limit=_MOST_GROUPS),
                filters=where,
                total_count=True,
            )
        )
        return {str(group.grouped_by.value): int(group.total_count or 0) for group in found.groups}

    async def tag_counts(self, state: WeaviateState) -> dict[str, TagCount]:
        """Return how often each tag was assigned, by humans and by models."""
        human = await self._grouped(state, "human_tags")
        model = await self._grouped(state, "model_tags")
        return {
            tag: TagCount(human=human.get(tag, 0), model=model.get(tag, 0)) for tag in sorted({*human, *model})
        }

    async def cooccurring(self, state: WeaviateState, tag_id: str, limit: int) -> list[tuple[str, int]]:
        """Return the tags that humans most often assigned together with this one, with counts."""
        found = await self._grouped(state, "human_tags", Filter.by_property("human_tags").contains_any([tag_id]))
        found.pop(tag_id, None)
        return sorted(found.items(), key=lambda item: (-item[1], item[0]))[:limit]

    async def contents_tagged(
        self, state: WeaviateState, tag_id: str, limit: int, provenance: Provenance | None
    ) -> list[str]:
        """Return the ids of contents that carry a tag, those with the newest assignment first, then by id."""
        lists = [_LISTS[provenance]] if provenance else list(_LISTS.values())
        where = Filter.any_of([Filter.by_property(name).contains_any([tag_id]) for name in lists])
        times = {}
        async for each in matching(self._connection, self._contents(state), where, ["key", "assignments"]):
            times[str(each.properties["key"])] = max(
                item.time
                for item in unpacked(str(each.properties["assignments"]))
                if item.tag == tag_id and provenance in (None, item.provenance)
            )
        return sorted(sorted(times), key=times.__getitem__, reverse=True)[:limit]

    async def statistics(
        self, state: WeaviateState, vocabulary: Vocabulary, counts: dict[str, TagCount], embedding: str
    ) -> StoreStatistics:
        """Count the store's objects."""
        return StoreStatistics(
            location=self._connection.location.text,
            engine=f"Weaviate {self._connection.version}",
            embedding=embedding,
            vocabulary=vocabulary.version,
            contents=await count(self._connection, self._contents(state)),
            tagged_contents=await self._tagged(state, vocabulary, counts),
            assignments=TagCount(
                human=sum(each.human for each in counts.values()),
                model=sum(each.model for each in counts.values()),
            ),
            passages=await count(self._connection, state.name(self._connection.location.name, StorePart.PASSAGES)),
            centre=state.metadata.centre_version,
            **vocabulary_counts(vocabulary),
        )

    async def _tagged(self, state: WeaviateState, vocabulary: Vocabulary, counts: dict[str, TagCount]) -> int:
        """Count the contents with a human assignment of a tag that may be output."""
        assigned: Sequence[str] = [tag for tag, each in counts.items() if each.human]
        usable = [tag for tag in assigned if tag in vocabulary.assignable]
        if not usable:
            return 0
        if len(usable) == len(assigned):
            where = Filter.by_property("tagged_by").contains_any([Provenance.HUMAN.value])
        else:
            where = Filter.by_property("human_tags").contains_any(usable)
        return await count(self._connection, self._contents(state), where)
