"""The state of a store on a server: its metadata, the clocks that show what changed, the locks of a rebuild."""

import asyncio
import base64
import time
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from pydantic import BaseModel, ConfigDict

from llm4tag.knowledge_store.importer import encoded
from llm4tag.knowledge_store.items import vector_blob, vector_of
from llm4tag.knowledge_store.weaviate.connection import Connection
from llm4tag.knowledge_store.weaviate.key_values import KeyValues
from llm4tag.knowledge_store.weaviate.layout import SCHEMA_VERSION, StorePart, collection_name
from llm4tag.models.embedder import Vector
from llm4tag.schema import StoreError

FRESH_SECONDS = 1.0
"""How long a reader uses the state it last read; it sees other processes' writes after that."""
_LOCK_SECONDS = 120.0
"""A lock that was not renewed for this long was left by a process that was killed."""
_RENEW_SECONDS = 20.0
_POLL_SECONDS = 0.2
_WRITING = "writing "
_STATE = ("state", "state")
_DIMENSIONS = ("state", "dimensions")
_WRITERS_OUT = ("state", "writers out")
_REBUILDING = ("state", "rebuilding")
_CLOCKS = ("tags", "assignments", "passages")


class StoreMetadata(BaseModel):
    """The part of the state that changes only when whole collections are replaced."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: str = SCHEMA_VERSION
    embedding: str
    generations: dict[StorePart, int]
    centre: str | None = None
    """The frozen mean of content vectors: base64 of little-endian float32."""
    centre_version: int = 0
    centred_contents: int = 0
    """Number of contents when the centre was last computed."""

    @property
    def centre_vector(self) -> Vector | None:
        """The present centre, or None if there is none."""
        return None if self.centre is None else vector_of(base64.b64decode(self.centre))

    def with_centre(self, centre: Vector | None, version: int) -> "StoreMetadata":
        """Return the metadata with another centre."""
        text = None if centre is None else encoded(vector_blob(centre))
        return self.model_copy(update={"centre": text, "centre_version": version})


class WeaviateState(BaseModel):
    """The state of a store at one moment."""

    model_config = ConfigDict(frozen=True)

    metadata: StoreMetadata
    clocks: dict[str, str]
    """One value each for tags, assignments (and contents) and passages; it changes with every write of these."""
    dimensions: int
    """Length of all vectors; 0 before the first."""
    lock: str | None
    """When the process that has locked writers out last renewed its lock; None if there is no lock."""

    def name(self, store: str, part: StorePart) -> str:
        """Return the name of a part's present collection."""
        return collection_name(store, part, self.metadata.generations[part])


def settled(clock: str) -> bool:
    """Return whether nobody was writing when the clock had this value: what was read then may be cached."""
    return not clock.startswith(_WRITING)


class StateManager:
    """Reads and changes the state of one store.

    Args:
        connection: the connection to the store's server.
    """

    def __init__(self, connection: Connection) -> None:
        self.key_values = KeyValues(connection)
        self._connection = connection
        self._known: WeaviateState | None = None
        self._read_at = 0.0

    @property
    def store(self) -> str:
        """The store's name on the server."""
        return self._connection.location.name

    async def begin(self, metadata: StoreMetadata) -> None:
        """Write the first metadata, which completes a new store."""
        await self.key_values.set_many({_STATE: metadata.model_dump_json()})

    async def read_metadata(self) -> str | None:
        """Return the stored metadata as JSON, or None if it was never written."""
        return await self.key_values.get(*_STATE)

    async def state(self, *, fresh: bool = True) -> WeaviateState:
        """Return the state of the store; if it need not be ``fresh``, it may be up to FRESH_SECONDS old."""
        if not fresh and self._known is not None and time.monotonic() - self._read_at < FRESH_SECONDS:
            return self._known
        started = time.monotonic()
        clocks = [("clock", name) for name in _CLOCKS]
        found = await self.key_values.get_many([_STATE, _DIMENSIONS, _WRITERS_OUT, *clocks])
        if _STATE not in found:
            raise StoreError(
                "the store is gone",
                where=self._connection.location.text,
                remedy="look whether it was deleted on the server",
            )
        self._known = WeaviateState(
            metadata=StoreMetadata.model_validate_json(found[_STATE]),
            clocks={name: found.get(("clock", name), "") for name in _CLOCKS},
            dimensions=int(found.get(_DIMENSIONS, "0")),
            lock=found.get(_WRITERS_OUT),
        )
        self._read_at = started
        return self._known

    async def set_dimensions(self, dimensions: int) -> None:
        """Record the length that all vectors must have from now on."""
        await self.key_values.set_many({_DIMENSIONS: str(dimensions)})
        self.invalidate()

    async def set_metadata(self, metadata: StoreMetadata) -> None:
        """Change the metadata; the caller holds the lock, or no other process can be changing it."""
        await self.key_values.set_many({_STATE: metadata.model_dump_json()})
        self.invalidate()

    def invalidate(self) -> None:
        """Read the state again when it is next needed."""
        self._known = None

    async def writable(self) -> WeaviateState:
        """Return the state as soon as no other process is replacing collections.

        Raises:
            StoreError: another process still is, after a long wait.
        """
        end = time.monotonic() + 2 * _LOCK_SECONDS
        while True:
            state = await self.state()
            if state.lock is None or _age(state.lock) > _LOCK_SECONDS:
                return state
            if time.monotonic() > end:
                raise StoreError(
                    "another process is embedding or centring the store again",
                    where=self._connection.location.text,
                    remedy="wait for it to end, then run the same command again",
                )
            await asyncio.sleep(_POLL_SECONDS)

    @asynccontextmanager
    async def writing(self, clocks: Iterable[str]) -> AsyncIterator[None]:
        """Change clocks before and after a write, so that nobody caches what is read in between.

        After a writer was killed, the clocks say "writing": readers then cache nothing until the next write ends.
        """
        names = list(clocks)
        if names:
            await self._move(names, _WRITING)
        yield
        if names:
            await self._move(names, "")

    async def _move(self, names: Iterable[str], prefix: str) -> None:
        await self.key_values.set_many({("clock", name): f"{prefix}{uuid.uuid4().hex}" for name in names})
        self.invalidate()

    @asynccontextmanager
    async def rebuilding(self, *, patient: bool) -> AsyncIterator[bool]:
        """Hold the lock of the one process that replaces collections; yield whether this process has it.

        Args:
            patient: wait if another process has the lock; otherwise yield False.
        """
        async with self._holding(_REBUILDING, patient=patient) as held:
            yield held

    @asynccontextmanager
    async def writers_out(self) -> AsyncIterator[None]:
        """Make the writers of other processes wait."""
        async with self._holding(_WRITERS_OUT, patient=True):
            yield

    @asynccontextmanager
    async def _holding(self, lock: tuple[str, str], *, patient: bool) -> AsyncIterator[bool]:
        while not await self.key_values.claim(*lock, _stamp()):
            left = await self.key_values.get(*lock)
            if left is not None and _age(left) > _LOCK_SECONDS:
                await self.key_values.remove(lock[0], [lock[1]])
            elif not patient:
                yield False
                return
            else:
                await asyncio.sleep(_POLL_SECONDS)
        renewing = asyncio.create_task(self._renew(lock))
        try:
            yield True
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            await self.key_values.remove(lock[0], [lock[1]])
            self.invalidate()

    async def _renew(self, lock: tuple[str, str]) -> None:
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            await self.key_values.set_many({lock: _stamp()})


def _stamp() -> str:
    return f"{time.time():.3f}"


def _age(lock: str) -> float:
    return time.time() - float(lock)
