"""Reading objects: by id, all of a collection, or those that match a filter in the order they were added in."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from weaviate.classes.query import Filter, Sort

from llm4tag.knowledge_store.items import Item
from llm4tag.knowledge_store.weaviate.connection import Connection
from llm4tag.knowledge_store.weaviate.layout import RAW, StorePart
from llm4tag.knowledge_store.weaviate.objects import WHOLE_PROPERTIES, item_of, raw_vector, uuid_of
from llm4tag.models.embedder import Vector

PAGE = 500
"""Number of objects in one request; the server's limit is 10,000, and objects come with their texts."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as it is on the server."""

    item: Item
    order: int
    """Its place in the order in which objects were added."""
    revision: str
    """Differs after every write of the object."""
    vector: Vector | None
    """The raw vector, if it was read."""


async def by_id(
    connection: Connection, part: StorePart, name: str, ids: Sequence[str], *, vectors: bool = False
) -> dict[str, StoredObject]:
    """Return the objects that exist, by id.

    Args:
        connection: the connection to the server.
        part: the part of the store that the collection holds.
        name: name of the collection.
        ids: ids of the objects.
        vectors: whether to read the raw vectors too.
    """
    collection = connection.collection(name)
    found: dict[str, StoredObject] = {}
    for at in range(0, len(ids), PAGE):
        uuids = [uuid_of(part, object_id) for object_id in ids[at : at + PAGE]]
        page = await connection.call(
            lambda _, uuids=uuids: collection.query.fetch_objects_by_ids(  # type: ignore[misc]
                uuids,
                limit=len(uuids),
                return_properties=WHOLE_PROPERTIES[part],
                include_vector=[RAW] if vectors else False,
            )
        )
        for each in page.objects:
            stored = _stored(part, each)
            found[stored.item.id] = stored
    return found


async def scan(
    connection: Connection, part: StorePart, name: str, *, vectors: bool
) -> AsyncIterator[list[StoredObject]]:
    """Yield all objects of a collection in pages, ordered by UUID, which is as good as random order."""
    async for page in _pages(connection, name, WHOLE_PROPERTIES[part], vectors=vectors):
        yield [_stored(part, each) for each in page]


async def revisions(connection: Connection, name: str) -> dict[str, str]:
    """Return the revision of every object of a collection, by id."""
    found: dict[str, str] = {}
    async for page in _pages(connection, name, ["key", "revision"], vectors=False, size=5000):
        found |= {str(each.properties["key"]): str(each.properties["revision"]) for each in page}
    return found


async def _pages(
    connection: Connection, name: str, properties: list[str], *, vectors: bool, size: int = PAGE
) -> AsyncIterator[list[Any]]:
    collection = connection.collection(name)
    after: Any = None
    while True:
        page = await connection.call(
            lambda _, after=after: collection.query.fetch_objects(  # type: ignore[misc]
                limit=size,
                after=after,
                return_properties=properties,
                include_vector=[RAW] if vectors else False,
            )
        )
        if page.objects:
            yield page.objects
        if len(page.objects) < size:
            return
        after = page.objects[-1].uuid


async def matching(connection: Connection, name: str, where: Any, properties: list[str]) -> AsyncIterator[Any]:
    """Yield all objects that a filter finds, in the order in which they were added."""
    collection = connection.collection(name)
    last, seen = -1, set[Any]()
    while True:
        more = where & Filter.by_property("order").greater_or_equal(last)
        page = await connection.call(
            lambda _, more=more: collection.query.fetch_objects(  # type: ignore[misc]
                filters=more,
                limit=PAGE,
                sort=Sort.by_property("order"),
                return_properties=[*properties, "order"],
            )
        )
        new = [each for each in page.objects if each.uuid not in seen]
        for each in new:
            yield each
        if len(page.objects) < PAGE or not new:
            return
        # Two processes may have used the same number.
        last = int(new[-1].properties["order"])
        seen = {each.uuid for each in page.objects if int(each.properties["order"]) == last}


async def count(connection: Connection, name: str, where: Any = None) -> int:
    """Count the objects of a collection that a filter finds, or all."""
    collection = connection.collection(name)
    found = await connection.call(lambda _: collection.aggregate.over_all(filters=where, total_count=True))
    return int(found.total_count or 0)


def _stored(part: StorePart, each: Any) -> StoredObject:
    return StoredObject(
        item=item_of(part, each.properties),
        order=int(each.properties["order"]),
        revision=str(each.properties["revision"]),
        vector=raw_vector(each.vector) if isinstance(each.vector, dict) else None,
    )
