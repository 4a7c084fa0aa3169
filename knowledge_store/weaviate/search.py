"""Hybrid search on the server."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from weaviate.classes.query import Filter, HybridFusion, MetadataQuery

from llm4tag.knowledge_store.hybrid_fusion import LEG_LIMIT, FusedHit, LegHit, fuse, object_uuid
from llm4tag.knowledge_store.protocol import PROPERTIES, Collection, Filters, Hit, SearchQuery
from llm4tag.knowledge_store.query_checks import boosts, check_dimensions, check_filters, tags_under
from llm4tag.knowledge_store.store_embedding import StoreEmbedding
from llm4tag.knowledge_store.weaviate.connection import Connection
from llm4tag.knowledge_store.weaviate.layout import SEARCH, SEARCHED, WORDS
from llm4tag.knowledge_store.weaviate.objects import search_vector
from llm4tag.knowledge_store.weaviate.store_state import WeaviateState
from llm4tag.knowledge_store.word_tokens import segmented
from llm4tag.models.embedder import Vector
from llm4tag.models.embedder_registry import NO_EMBEDDING
from llm4tag.schema import StoreError, Vocabulary

_AT_ONCE = 8
_LEG = re.compile(r"Result Set (keyword|vector)[^)]*\) Document \S+ original score (\S+), normalized score: (\S+)")
_Filter = Any


class ServerSearcher:
    """Searches one store.

    Args:
        connection: the connection to the store's server.
        embedding: the store's embedder; query vectors of another one are refused.
    """

    def __init__(self, connection: Connection, embedding: StoreEmbedding) -> None:
        self._connection = connection
        self._embedding = embedding

    async def search(
        self,
        state: WeaviateState,
        vocabulary: Vocabulary | None,
        collection: Collection,
        queries: Sequence[SearchQuery],
    ) -> list[list[Hit]]:
        """Run queries against one state of the store; the vocabulary is needed if a filter says ``within``."""
        if any(query.vector is not None for query in queries):
            self._embedding.check(state.metadata.embedding, self._embedding.name)
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(query: SearchQuery) -> list[Hit]:
            async with slots:
                return await self._search(state, vocabulary, collection, query)

        return list(await asyncio.gather(*(one(query) for query in queries)))

    async def _search(
        self, state: WeaviateState, vocabulary: Vocabulary | None, collection: Collection, query: SearchQuery
    ) -> list[Hit]:
        check_filters(collection, query.filters)
        prepared = _ServerQuery(self._connection, state, collection, query)
        where = _where(collection, query.filters, vocabulary)
        if where is _NOTHING:
            return []
        if prepared.words and prepared.vector is not None and query.fusion == "relative":
            return await prepared.hybrid(where)
        return await prepared.by_legs(where)


class _ServerQuery:
    """One query, prepared for the server."""

    def __init__(
        self, connection: Connection, state: WeaviateState, collection: Collection, query: SearchQuery
    ) -> None:
        self._connection = connection
        self._collection = collection
        self._query = query
        self._name = state.name(connection.location.name, SEARCHED[collection])
        self._count = max(LEG_LIMIT, query.limit)
        self._boosted = [
            f"{WORDS}{name}^{boost:g}"
            for name, boost in zip(PROPERTIES[collection], boosts(collection, query), strict=True)
            if boost is not None
        ]
        self.vector = self._by_vector(state)
        self.by_word = self.vector is None or query.alpha < 1.0
        """Whether the keyword leg runs."""
        self.words = segmented(query.text) if self.by_word else ""

    def _by_vector(self, state: WeaviateState) -> Vector | None:
        vector = self._query.vector
        if vector is None or self._query.alpha == 0.0 or self._collection is Collection.UNITS:
            return None
        if not state.dimensions or state.metadata.embedding == NO_EMBEDDING:
            return None
        check_dimensions(vector, state.dimensions)
        return (
            search_vector(vector, state.metadata.centre_vector)
            if self._collection is Collection.CONTENTS
            else vector
        )

    @property
    def _properties(self) -> list[str]:
        return ["key", "tag", "text", "kind"] if self._collection is Collection.UNITS else ["key"]

    async def hybrid(self, where: _Filter) -> list[Hit]:
        """Let the server fuse both legs, and read its explanation of each score."""
        handle = self._connection.collection(self._name)
        found = await self._connection.call(
            lambda _: handle.query.hybrid(
                self.words,
                alpha=self._query.alpha,
                vector=None if self.vector is None else self.vector.tolist(),
                target_vector=SEARCH,
                query_properties=self._boosted,
                fusion_type=HybridFusion.RELATIVE_SCORE,
                limit=self._query.limit,
                filters=where,
                return_properties=self._properties,
                return_metadata=MetadataQuery(score=True, explain_score=True),
            )
        )
        return [self._hit(each.properties, _explained(each)) for each in found.objects]

    async def by_legs(self, where: _Filter) -> list[Hit]:
        """Run the legs at the same time and fuse them here.

        A single leg needs no fusion, and for ranked fusion the server does not report the raw scores.
        """
        by_word, by_vector = await asyncio.gather(self._keyword_leg(where), self._vector_leg(where))
        rows = {**(by_word or {}), **(by_vector or {})}
        fused = fuse(
            None if by_word is None else [LegHit(key, score) for key, (score, _) in by_word.items()],
            None if by_vector is None else [LegHit(key, score) for key, (score, _) in by_vector.items()],
            alpha=self._query.alpha,
            fusion=self._query.fusion,
            uuid_of=lambda object_id: object_uuid(self._collection, object_id),
        )
        return [self._hit(rows[hit.id][1], hit) for hit in fused[: self._query.limit]]

    async def _keyword_leg(self, where: _Filter) -> dict[str, tuple[float, Any]] | None:
        if not self.by_word:
            return None
        if not self.words or not self._boosted:
            return {}
        handle = self._connection.collection(self._name)
        found = await self._connection.call(
            lambda _: handle.query.bm25(
                self.words,
                query_properties=self._boosted,
                limit=self._count,
                filters=where,
                return_properties=self._properties,
                return_metadata=MetadataQuery(score=True),
            )
        )
        return {
            str(each.properties["key"]): (each.metadata.score or 0.0, each.properties) for each in found.objects
        }

    async def _vector_leg(self, where: _Filter) -> dict[str, tuple[float, Any]] | None:
        vector = self.vector
        if vector is None:
            return None
        handle = self._connection.collection(self._name)
        found = await self._connection.call(
            lambda _: handle.query.near_vector(
                vector.tolist(),
                target_vector=SEARCH,
                limit=self._count,
                filters=where,
                return_properties=self._properties,
                return_metadata=MetadataQuery(distance=True),
            )
        )
        return {
            str(each.properties["key"]): (1.0 - (each.metadata.distance or 0.0), each.properties)
            for each in found.objects
        }

    def _hit(self, properties: Any, fused: FusedHit) -> Hit:
        if self._collection is Collection.UNITS:
            return fused.as_unit_hit(properties["tag"], properties["text"], properties["kind"])
        return fused.as_hit()


def _explained(each: Any) -> FusedHit:
    legs = {name: (float(raw), float(part)) for name, raw, part in _LEG.findall(each.metadata.explain_score or "")}
    if not legs:
        raise StoreError(
            f"the server explains a score as {each.metadata.explain_score!r}, which this version cannot read",
            remedy="use the Weaviate version that docs/how-to/run-weaviate.md names",
        )
    keyword, vector = legs.get("keyword"), legs.get("vector")
    return FusedHit(
        id=str(each.properties["key"]),
        score=float(each.metadata.score),
        keyword_score=None if keyword is None else keyword[0],
        vector_score=None if vector is None else vector[0],
        keyword_part=0.0 if keyword is None else keyword[1],
        vector_part=0.0 if vector is None else vector[1],
    )


_NOTHING = object()
"""The filter that no object passes."""


def _where(collection: Collection, filters: Filters, vocabulary: Vocabulary | None) -> _Filter:
    """Return the server's filter, None if there is none, or ``_NOTHING``."""
    key = "tag" if collection is Collection.UNITS else "key"
    allowed = filters.ids
    if filters.within is not None and vocabulary is not None:
        below = tags_under(vocabulary, filters.within)
        allowed = below if allowed is None else allowed & below
    if (allowed is not None and not allowed) or (filters.tagged_any is not None and not filters.tagged_any):
        return _NOTHING
    found = []
    if allowed is not None:
        found.append(Filter.by_property(key).contains_any(sorted(allowed)))
    if filters.exclude_ids:
        found.append(Filter.by_property(key).contains_none(sorted(filters.exclude_ids)))
    if filters.tagged_any is not None:
        tags = sorted(filters.tagged_any)
        human = Filter.by_property("human_tags").contains_any(tags)
        found.append(human | Filter.by_property("model_tags").contains_any(tags))
    if filters.tagged_by is not None:
        found.append(Filter.by_property("tagged_by").contains_any([filters.tagged_by.value]))
    return Filter.all_of(found) if found else None
