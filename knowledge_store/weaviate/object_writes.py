"""Writing objects into the collections of a store and deleting them; each is written whole or not at all."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter
from weaviate.exceptions import WeaviateInsertManyAllFailedError

from llm4tag.knowledge_store.items import Item, ItemKind, unit_id
from llm4tag.knowledge_store.records import Refused
from llm4tag.knowledge_store.weaviate.connection import Connection
from llm4tag.knowledge_store.weaviate.layout import StorePart
from llm4tag.knowledge_store.weaviate.object_reads import StoredObject
from llm4tag.knowledge_store.weaviate.objects import OrderNumbers, search_objects, uuid_of, whole_object
from llm4tag.knowledge_store.weaviate.server_errors import concerns_all, store_error
from llm4tag.knowledge_store.weaviate.store_state import WeaviateState
from llm4tag.models.embedder import Vector
from llm4tag.schema import StoreError, Tag

PART_OF = {
    ItemKind.TAG: StorePart.VOCABULARY,
    ItemKind.CONTENT: StorePart.CONTENTS,
    ItemKind.PASSAGE: StorePart.PASSAGES,
}
_DELETED_AT_ONCE = 1000
_AT_ONCE = 2
"""Number of simultaneous requests that write a batch: the client packs one while the server stores the other."""


class ObjectWriter:
    """Writes objects into one store and deletes them.

    Args:
        connection: the connection to the store's server.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._orders = OrderNumbers()

    async def write(
        self,
        kind: ItemKind,
        state: WeaviateState,
        items: Sequence[Item],
        vectors: Mapping[str, Vector | None],
        before: Mapping[str, StoredObject],
    ) -> list[Refused]:
        """Write objects whole.

        Args:
            kind: the kind of all the objects.
            state: the state of the store; it names the collections.
            items: the objects.
            vectors: their raw vectors by id.
            before: the objects as they were stored before; their places in the order stay.

        Returns:
            The objects that the server refused one by one.
        """
        centre = state.metadata.centre_vector
        objects = [
            whole_object(
                item,
                before[item.id].order if item.id in before else self._orders.next(),
                vectors.get(item.id),
                centre,
            )
            for item in items
        ]
        refused: list[Refused] = []
        if kind is ItemKind.TAG:
            # What is searched is written first: after a kill, a rerun finds that the tag is still missing.
            refused = await self._write_searched(state, items, vectors, before)
        lost = {each.id for each in refused}
        refused += await self._insert(
            state, PART_OF[kind], [each for item, each in zip(items, objects, strict=True) if item.id not in lost]
        )
        return refused

    async def _write_searched(
        self,
        state: WeaviateState,
        items: Sequence[Item],
        vectors: Mapping[str, Vector | None],
        before: Mapping[str, StoredObject],
    ) -> list[Refused]:
        wholes: list[DataObject[Any, Any]] = []
        units: list[DataObject[Any, Any]] = []
        gone_tags: list[str] = []
        gone_units: list[str] = []
        for tag in items:
            if not isinstance(tag, Tag):
                continue
            old = before[tag.id].item if tag.id in before else None
            units_before = 1 + len(old.aliases) if isinstance(old, Tag) and old.assignable else 0
            units_now = 1 + len(tag.aliases) if tag.assignable else 0
            if units_now:
                whole, of_tag = search_objects(tag, vectors.get(tag.id))
                wholes.append(whole)
                units += of_tag
            elif units_before:
                gone_tags.append(tag.id)
            gone_units += [unit_id(tag.id, number) for number in range(units_now, units_before)]
        await self._delete(state, StorePart.UNITS, gone_units)
        await self._delete(state, StorePart.TAGS, gone_tags)
        refused = await self._insert(state, StorePart.TAGS, wholes)
        of_units = await self._insert(state, StorePart.UNITS, units)
        lost = {each.id: each for each in refused}
        for each in of_units:
            owner = each.id.rpartition("#")[0]
            lost.setdefault(owner, Refused(id=owner, reason=each.reason))
        return list(lost.values())

    async def _insert(
        self, state: WeaviateState, part: StorePart, objects: Sequence[DataObject[Any, Any]]
    ) -> list[Refused]:
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
                    # Raised inside the call, which waits and tries again if the server is not ready yet.
                    raise store_error(self._connection.location, message)
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

    async def delete(self, kind: ItemKind, state: WeaviateState, items: Sequence[Item]) -> int:
        """Delete objects, tags with the objects by which they are searched; return how many existed."""
        tags = [item for item in items if isinstance(item, Tag)]
        units = [unit_id(tag.id, number) for tag in tags for number in range(1 + len(tag.aliases))]
        await self._delete(state, StorePart.UNITS, units)
        await self._delete(state, StorePart.TAGS, [tag.id for tag in tags])
        return await self._delete(state, PART_OF[kind], [item.id for item in items])

    async def _delete(self, state: WeaviateState, part: StorePart, ids: Sequence[str]) -> int:
        """Delete objects of one collection; return how many existed."""
        collection = self._connection.collection(state.name(self._connection.location.name, part))
        gone = 0
        for at in range(0, len(ids), _DELETED_AT_ONCE):
            where = Filter.by_id().contains_any([uuid_of(part, each) for each in ids[at : at + _DELETED_AT_ONCE]])
            done = await self._connection.call(
                lambda _, where=where: collection.data.delete_many(where=where)  # type: ignore[misc]
            )
            if done.failed:
                raise StoreError(
                    f"{done.failed} objects could not be deleted", where=self._connection.location.text
                )
            gone += done.successful
        return gone


def require_all(connection: Connection, refused: Sequence[Refused]) -> None:
    """Raise StoreError if any object was refused."""
    if refused:
        raise StoreError(
            f"{len(refused)} objects were refused, the first {refused[0].id!r}: {refused[0].reason}",
            where=connection.location.text,
        )
