"""Values by kind and key, in a collection of their own: the store's state, marks and artifacts."""

import base64
from collections.abc import Mapping, Sequence

from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter

from llm4tag.knowledge_store.hybrid_fusion import object_uuid
from llm4tag.knowledge_store.weaviate.connection import Connection
from llm4tag.knowledge_store.weaviate.layout import StorePart, collection_name
from llm4tag.knowledge_store.weaviate.server_errors import ObjectExists, store_error
from llm4tag.schema import StoreError

MARK = "mark"
ARTIFACT = "artifact"
_CHUNK = 4_000_000
"""Number of bytes of an artifact in one object."""
_PAGE = 200


def _uuid(kind: str, key: str) -> str:
    return object_uuid("facts", f"{kind}:{key}")


class KeyValues:
    """Reads and writes the values of one store.

    Args:
        connection: the connection to the store's server.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._name = collection_name(connection.location.name, StorePart.KEY_VALUES)

    async def get_many(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Return the values that exist, by kind and key."""
        ids = [_uuid(kind, key) for kind, key in keys]
        found = await self._connection.call(
            lambda _: self._connection.collection(self._name).query.fetch_objects_by_ids(ids, limit=len(ids))
        )
        return {
            (str(item.properties["kind"]), str(item.properties["key"])): str(item.properties["value"])
            for item in found.objects
        }

    async def get(self, kind: str, key: str) -> str | None:
        """Return a value, or None if there is none."""
        return (await self.get_many([(kind, key)])).get((kind, key))

    async def set_many(self, values: Mapping[tuple[str, str], str]) -> None:
        """Save values, in place of those of the same kind and key."""
        objects = [
            DataObject(properties={"kind": kind, "key": key, "value": value}, uuid=_uuid(kind, key))
            for (kind, key), value in values.items()
        ]
        result = await self._connection.call(
            lambda _: self._connection.collection(self._name).data.insert_many(objects)
        )
        if result.has_errors:
            raise store_error(self._connection.location, next(iter(result.errors.values())).message)

    async def remove(self, kind: str, keys: Sequence[str]) -> None:
        """Remove values."""
        where = Filter.by_id().contains_any([_uuid(kind, key) for key in keys])
        await self._connection.call(
            lambda _: self._connection.collection(self._name).data.delete_many(where=where)
        )

    async def claim(self, kind: str, key: str, value: str) -> bool:
        """Save a value if there is none yet; of several processes that try, only one succeeds.

        Returns:
            Whether this process saved it.
        """
        collection = self._connection.collection(self._name)
        if await self.get(kind, key) is not None:
            return False
        properties = {"kind": kind, "key": key, "value": value}
        try:
            await self._connection.call(lambda _: collection.data.insert(properties, uuid=_uuid(kind, key)))
        except ObjectExists:
            return False
        return True

    async def all_of(self, kind: str) -> dict[str, str]:
        """Return all values of a kind, by key."""
        collection = self._connection.collection(self._name)
        found: dict[str, str] = {}
        while True:
            at = len(found)
            page = await self._connection.call(
                lambda _, at=at: collection.query.fetch_objects(  # type: ignore[misc]
                    filters=Filter.by_property("kind").equal(kind), limit=_PAGE, offset=at
                )
            )
            found |= {str(item.properties["key"]): str(item.properties["value"]) for item in page.objects}
            if len(page.objects) < _PAGE:
                return found

    async def get_artifact(self, name: str) -> bytes | None:
        """Return an artifact, or None if there is none."""
        count = await self.get(ARTIFACT, name)
        if count is None:
            return None
        parts = [await self.get(f"{ARTIFACT} part", f"{name}#{number}") for number in range(int(count))]
        if None in parts:
            raise StoreError(
                f"the artifact {name!r} is incomplete", where=self._connection.location.text, remedy="fit it again"
            )
        return b"".join(base64.b64decode(part or "") for part in parts)

    async def set_artifact(self, name: str, data: bytes | None) -> None:
        """Save an artifact, None removes it; a half-written one does not count as an artifact."""
        before = int(await self.get(ARTIFACT, name) or 0)
        await self.remove(ARTIFACT, [name])
        chunks = [] if data is None else [data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK)]
        for number, chunk in enumerate(chunks):
            key = (f"{ARTIFACT} part", f"{name}#{number}")
            await self.set_many({key: base64.b64encode(chunk).decode("ascii")})
        if before > len(chunks):
            await self.remove(f"{ARTIFACT} part", [f"{name}#{number}" for number in range(len(chunks), before)])
        if data is not None:
            await self.set_many({(ARTIFACT, name): str(len(chunks))})
