"""Opening, making and migrating a store on a server."""

import asyncio
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, ValidationError

from llm4tag.knowledge_store.items import Kind
from llm4tag.knowledge_store.weaviate.address import WeaviateLocation
from llm4tag.knowledge_store.weaviate.connection import Connection
from llm4tag.knowledge_store.weaviate.layout import GENERATIONAL, SCHEMA_VERSION, Part, is_there, make_collection
from llm4tag.knowledge_store.weaviate.rebuilder import Rebuilder
from llm4tag.knowledge_store.weaviate.store_state import Keeper, Shape
from llm4tag.schema import StoreError, StoreNotFoundError, StoreVersionError

MIGRATES_FROM = frozenset({"0"})
"""Versions whose objects this one can still read: they are written anew in today's layout."""


class _Recorded(BaseModel):
    """What can be read of a shape of any version."""

    model_config = ConfigDict(extra="ignore")

    schema_version: str
    embedding: str


async def opened(
    location: WeaviateLocation, name_for_new: Callable[[], str], *, create: bool, migrate: bool
) -> tuple[Connection, Keeper, str]:
    """Connect and find the store, or make it; return its recorded embedding too.

    Raises:
        StoreNotFoundError: no store there, and ``create`` is false.
        StoreVersionError: a store of another version.
        StoreError: the server failed.
    """
    connection = await Connection.open(location)
    try:
        keeper = Keeper(connection)
        recorded = await _recorded(connection, keeper)
        if recorded is None:
            if not create:
                raise StoreNotFoundError(
                    f"no store at {location.text}; make one with `llm4tag store init --store {location.text}` "
                    "or `llm4tag ingest vocabulary FILE --store …`"
                )
            await _make(connection, keeper, await asyncio.to_thread(name_for_new))
            recorded = await _recorded(connection, keeper)
        if recorded is None:
            raise StoreError(
                f"{location.text}: the store that was just made is not there; look at the server's log"
            )
        if recorded.schema_version != SCHEMA_VERSION:
            await _migrate(connection, keeper, recorded.schema_version, migrate=migrate)
        return connection, keeper, recorded.embedding
    except BaseException:
        await connection.close()
        raise


async def _recorded(connection: Connection, keeper: Keeper) -> _Recorded | None:
    """Return what a store says of itself; None where there is none, or one whose making was cut short."""
    if not await is_there(connection):
        return None
    text = await keeper.read_shape()
    try:
        return None if text is None else _Recorded.model_validate_json(text)
    except ValidationError:
        raise StoreVersionError(
            f"{connection.location.text}: the store's state cannot be read by this version; use the llm4tag that "
            "wrote it, or `llm4tag store export` there and `import` here"
        ) from None


async def _make(connection: Connection, keeper: Keeper, embedding: str) -> None:
    """Make all collections; the store is complete when its state stands, which two processes may both write."""
    await asyncio.gather(*(make_collection(connection, part, 1) for part in Part))
    if await keeper.read_shape() is None:
        await keeper.begin(Shape(embedding=embedding, generations=dict.fromkeys(GENERATIONAL, 1)))


async def _migrate(connection: Connection, keeper: Keeper, version: str, *, migrate: bool) -> None:
    place = connection.location.text
    if version not in MIGRATES_FROM:
        raise StoreVersionError(
            f"{place}: written with store version {version}, this llm4tag reads version {SCHEMA_VERSION}; "
            "use the llm4tag that wrote it, or `llm4tag store export` there and `import` here"
        )
    if not migrate:
        raise StoreVersionError(
            f"{place}: written with store version {version}, this llm4tag has version {SCHEMA_VERSION}; "
            f"bring it up to date with `llm4tag store init --store {place}` (nothing is embedded anew)"
        )
    rebuilder = Rebuilder(connection, keeper)
    async with keeper.rebuilding(patient=True):
        new = await rebuilder.copy(list(Kind))
        async with keeper.writers_out():
            await rebuilder.swap(await rebuilder.catch_up(new))
