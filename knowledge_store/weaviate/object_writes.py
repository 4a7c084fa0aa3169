"""Putting objects into the collections of a store, and taking them out: each whole or not at all."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter
from weaviate.exceptions import WeaviateInsertManyAllFailedError

from llm4tag.knowledge_store.items import Item, Kind, unit_id
from llm4tag.knowledge_store.protocol import Refused
from llm4tag.knowledge_store.weaviate.connection import Connection
from llm4tag.knowledge_store.weaviate.layout import Part
from llm4tag.knowledge_store.weaviate.object_reads import Stored
from llm4tag.knowledge_store.weaviate.objects import Orders, search_objects, truth_object, uuid_of
from llm4tag.knowledge_store.weaviate.server_errors import concerns_all, told
from llm4tag.knowledge_store.weaviate.store_state import State
from llm4tag.models.embedder import Vector
from llm4tag.schema import StoreError, Tag

PART_OF = {Kind.TAG: Part.VOCABULARY, Kind.CONTENT: Part.CONTENTS, Kind.PASSAGE: Part.PASSAGES}
_DELETED_AT_ONCE = 1000
_AT_ONCE = 2
"""Requests that a batch is written in, side by side: the client packs one while the server stores the other."""


class Putter:
    """Puts objects into one store.

    Args:
        connection: to its server.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._orders = Orders()

    async def put(
        self,
        kind: Kind,
        state: State,
        items: Sequence[Item],
        vectors: Mapping[str, Vector | None],
        before: Mapping[str, Stored],
    ) -> list[Refused]:
        """Write objects whole into the collections of a state; return those that the server refused one by one."""
        centre = state.shape.centre_vector
        truths = [
            truth_object(
                item,
                before[item.id].order if item.id in before else self._orders.next(),
                vectors.get(item.id),
                centre,
            )
            for item in items
        ]
        refused: list[Refused] = []
        if kind is Kind.TAG:
            # What a tag is searched by comes first: a rerun after a kill then finds the tag itself still to do.
            refused = await self._put_searched(state, items, vectors, before)
        lost = {each.id for each in refused}
        refused += await self._insert(
            state, PART_OF[kind], [each for item, each in zip(items, truths, strict=True) if item.id not in lost]
        )
        return refused

    async def _put_searched(
        self,
        state: State,
        items: Sequence[Item],
        vectors: Mapping[str, Vector | None],
        before: Mapping[str, Stored],
    ) -> list[Refused]:
        wholes: list[DataObject[Any, Any]] = []
        units: list[DataObject[Any, Any]] = []
        gone_tags: list[str] = []
        gone_units: list[str] = []
        for tag in items:
            if not isinstance(tag, Tag):
                continue
            old = before[tag.id].item if tag.id in before else None
            had = 1 + len(old.aliases) if isinstance(old, Tag) and old.assignable else 0
            has = 1 + len(tag.aliases) if tag.assignable else 0
            if has:
                whole, own = search_objects(tag, vectors.get(tag.id))
                wholes.append(whole)
                units += own
            elif had:
                gone_tags.append(tag.id)
            gone_units += [unit_id(tag.id, number) for number in range(has, had)]
        await self.delete(state, Part.UNITS, gone_units)
        await self.delete(state, Part.TAGS, gone_tags)
        refused = await self._insert(state, Part.TAGS, wholes)
        of_units = await self._insert(state, Part.UNITS, units)
        lost = {each.id: each for each in refused}
        for each in of_units:
            owner = each.id.rpartition("#")[0]
            lost.setdefault(owner, Refused(id=owner, reason=each.reason))
        return list(lost.values())

    async def _insert(self, state: State, part: Part, objects: Sequence[DataObject[Any, Any]]) -> list[Refused]:
        collection = self._connection.collection(state.name(self._connection.location.name, part))
        size = max(1, -(-len(objects) // _AT_ONCE))
        pieces = [objects[at : at + size] for at in range(0, len(objects), size)]

        async def insert(piece: Sequence[DataObject[Any, Any]]) -> dict[int, str]:
            try:
                result = await collection.data.insert_many(piece)
            except WeaviateInsertManyAllFailedError as error:
                if concerns_all(error.message):
                    raise
                return dict.fromkeys(range(len(piece)), error.message)
            refusals = {at: each.message for at, each in result.errors.items()}
            for message in refusals.values():
                if concerns_all(message):
                    # Told here, inside the call: it waits where the server is only not ready yet.
                    raise told(self._connection.location, message)
            return refusals

        refused: list[Refused] = []
        failures = await asyncio.gather(
            *(self._connection.call(lambda _, piece=piece: insert(piece)) for piece in pieces)  # type: ignore[misc]
        )
        for piece, failed in zip(pieces, failures, strict=True):
            refused += [
                Refused(id=str(piece[at].properties["key"]), reason=message) for at, message in failed.items()
            ]
        return refused

    async def take_out(self, kind: Kind, state: State, items: Sequence[Item]) -> int:
        """Delete objects with what they are searched by; return how many were there."""
        tags = [item for item in items if isinstance(item, Tag)]
        units = [unit_id(tag.id, number) for tag in tags for number in range(1 + len(tag.aliases))]
        await self.delete(state, Part.UNITS, units)
        await self.delete(state, Part.TAGS, [tag.id for tag in tags])
        return await self.delete(state, PART_OF[kind], [item.id for item in items])

    async def delete(self, state: State, part: Part, ids: Sequence[str]) -> int:
        """Delete objects of one collection; return how many were there."""
        collection = self._connection.collection(state.name(self._connection.location.name, part))
        gone = 0
        for at in range(0, len(ids), _DELETED_AT_ONCE):
            where = Filter.by_id().contains_any([uuid_of(part, each) for each in ids[at : at + _DELETED_AT_ONCE]])
            done = await self._connection.call(
                lambda _, where=where: collection.data.delete_many(where=where)  # type: ignore[misc]
            )
            if done.failed:
                raise StoreError(f"{self._connection.location.text}: {done.failed} objects could not be deleted")
            gone += done.successful
        return gone


def require_all(connection: Connection, refused: Sequence[Refused]) -> None:
    """Raise StoreError where any object was refused."""
    if refused:
        raise StoreError(
            f"{connection.location.text}: {len(refused)} objects were refused, the first "
            f"{refused[0].id!r}: {refused[0].reason}"
        )
