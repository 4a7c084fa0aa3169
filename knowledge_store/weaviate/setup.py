"""Opening, making and migrating a store on a server."""

import asyncio
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, ValidationError

from llm4tag.knowledge_store.items import ItemKind
from llm4tag.knowledge_store.location import WeaviateLocation
from llm4tag.knowledge_store.weaviate.connection import Connection
from llm4tag.knowledge_store.weaviate.layout import (
    GENERATIONAL,
    SCHEMA_VERSION,
    StorePart,
    make_collection,
    store_exists,
)
from llm4tag.knowledge_store.weaviate.rebuilder import Rebuilder
from llm4tag.knowledge_store.weaviate.store_state import StateManager, StoreMetadata
from llm4tag.schema import StoreError, StoreNotFoundError, StoreVersionError

MIGRATES_FROM = frozenset({"0"})
"""Versions whose objects this one can still read; migrating writes them again in the present layout."""


class _Recorded(BaseModel):
    """The metadata that stores of all versions have."""

    model_config = ConfigDict(extra="ignore")

    schema_version: str
    embedding: str


async def connected_store(
    location: WeaviateLocation, name_for_new: Callable[[], str], *, create: bool, migrate: bool
) -> tuple[Connection, StateManager, str]:
    """Connect to a store on a server, or make it.

    Args:
        location: the store.
        name_for_new: returns the name of the embedding of a new store; called only if one is made.
        create: make the store if there is none.
        migrate: bring a store of an older version up to date.

    Returns:
        The connection, the manager of the store's state, and the name of the embedding that the store recorded.

    Raises:
        StoreNotFoundError: there is no store, and ``create`` is false.
        StoreVersionError: the store has another version.
        StoreError: the server failed.
    """
    connection = await Connection.open(location)
    try:
        manager = StateManager(connection)
        recorded = await _recorded(connection, manager)
        if recorded is None:
            if not create:
                raise StoreNotFoundError(
                    f"no store at {location.text}",
                    remedy="{make_store}, or {ingest_vocabulary}",
                    store=location.text,
                )
            await _make(connection, manager, await asyncio.to_thread(name_for_new))
            recorded = await _recorded(connection, manager)
        if recorded is None:
            raise StoreError(
                "the store that was just made is not there",
                where=location.text,
                remedy="look at the server's log",
            )
        if recorded.schema_version != SCHEMA_VERSION:
            await _migrate(connection, manager, recorded.schema_version, migrate=migrate)
        return connection, manager, recorded.embedding
    except BaseException:
        await connection.close()
        raise


async def _recorded(connection: Connection, manager: StateManager) -> _Recorded | None:
    """Return the metadata of a store, or None if there is none or if making it was interrupted."""
    if not await store_exists(connection):
        return None
    text = await manager.read_metadata()
    try:
        return None if text is None else _Recorded.model_validate_json(text)
    except ValidationError:
        raise StoreVersionError(
            "this version cannot read the store's state",
            where=connection.location.text,
            remedy="{move_store}",
            store=connection.location.text,
        ) from None


async def _make(connection: Connection, manager: StateManager, embedding: str) -> None:
    """Make all collections, then write the metadata, which completes the store; two processes may do so."""
    await asyncio.gather(*(make_collection(connection, part, 1) for part in StorePart))
    if await manager.read_metadata() is None:
        await manager.begin(StoreMetadata(embedding=embedding, generations=dict.fromkeys(GENERATIONAL, 1)))


async def _migrate(connection: Connection, manager: StateManager, version: str, *, migrate: bool) -> None:
    place = connection.location.text
    if version not in MIGRATES_FROM:
        raise StoreVersionError(
            f"written with store version {version}, this llm4tag reads version {SCHEMA_VERSION}",
            where=place,
            remedy="{move_store}",
            store=place,
        )
    if not migrate:
        raise StoreVersionError(
            f"written with store version {version}, this llm4tag has version {SCHEMA_VERSION}",
            where=place,
            remedy="{migrate_store}",
            store=place,
        )
    rebuilder = Rebuilder(connection, manager)
    async with manager.rebuilding(patient=True):
        new = await rebuilder.copy(list(ItemKind))
        async with manager.writers_out():
            await rebuilder.swap(await rebuilder.catch_up(new))
