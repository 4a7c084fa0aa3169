"""Where a store stands: generations, embedding, centre; clocks of what changed; the lock of a replacement."""

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
from llm4tag.knowledge_store.weaviate.facts import Facts
from llm4tag.knowledge_store.weaviate.layout import SCHEMA_VERSION, Part, collection_name
from llm4tag.models.embedder import Vector
from llm4tag.schema import StoreError

FRESH_SECONDS = 1.0
"""How long a reader goes by what it knows: another process's writes are seen after that."""
_LOCK_SECONDS = 120.0
"""A lock older than this, never renewed, was left by a process that was killed."""
_RENEW_SECONDS = 20.0
_POLL_SECONDS = 0.2
_WRITING = "writing "
_STATE = ("state", "state")
_DIMENSIONS = ("state", "dimensions")
_WRITERS_OUT = ("state", "writers out")
_REBUILDING = ("state", "rebuilding")
_CLOCKS = ("tags", "assignments", "passages")


class Shape(BaseModel):
    """What changes only when parts of a store are replaced as a whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: str = SCHEMA_VERSION
    embedding: str
    generations: dict[Part, int]
    centre: str | None = None
    """The frozen mean of content vectors, base64 of little-endian float32."""
    centre_version: int = 0
    centred_contents: int = 0
    """How many contents there were when the centre was last looked at."""

    @property
    def centre_vector(self) -> Vector | None:
        """The centre in force, or None."""
        return None if self.centre is None else vector_of(base64.b64decode(self.centre))

    def with_centre(self, centre: Vector | None, version: int) -> "Shape":
        """Return the shape with another centre."""
        text = None if centre is None else encoded(vector_blob(centre))
        return self.model_copy(update={"centre": text, "centre_version": version})


class State(BaseModel):
    """A store at one moment."""

    model_config = ConfigDict(frozen=True)

    shape: Shape
    clocks: dict[str, str]
    """Changes with every write of tags, of assignments (or contents), of passages."""
    dimensions: int
    """Of all vectors; 0 before the first."""
    lock: str | None

    def name(self, store: str, part: Part) -> str:
        """Return the name of a part's present collection."""
        return collection_name(store, part, self.shape.generations[part])


def settled(clock: str) -> bool:
    """Return whether nobody was writing when the clock stood so: what was read then may be kept."""
    return not clock.startswith(_WRITING)


class Keeper:
    """Reads and changes the state of one store.

    Args:
        connection: to its server.
    """

    def __init__(self, connection: Connection) -> None:
        self.facts = Facts(connection)
        self._connection = connection
        self._known: State | None = None
        self._read_at = 0.0

    @property
    def store(self) -> str:
        """The store's name on the server."""
        return self._connection.location.name

    async def begin(self, shape: Shape) -> None:
        """Write the first state: with it a store is complete."""
        await self.facts.set_many({_STATE: shape.model_dump_json()})

    async def read_shape(self) -> str | None:
        """Return the shape as it is stored, or None before it was first written."""
        return await self.facts.get(*_STATE)

    async def state(self, *, fresh: bool = True) -> State:
        """Return where the store stands; not ``fresh``: at most FRESH_SECONDS ago."""
        if not fresh and self._known is not None and time.monotonic() - self._read_at < FRESH_SECONDS:
            return self._known
        started = time.monotonic()
        clocks = [("clock", name) for name in _CLOCKS]
        found = await self.facts.get_many([_STATE, _DIMENSIONS, _WRITERS_OUT, *clocks])
        if _STATE not in found:
            raise StoreError(f"{self._connection.location.text}: the store is gone; was it deleted on the server?")
        self._known = State(
            shape=Shape.model_validate_json(found[_STATE]),
            clocks={name: found.get(("clock", name), "") for name in _CLOCKS},
            dimensions=int(found.get(_DIMENSIONS, "0")),
            lock=found.get(_WRITERS_OUT),
        )
        self._read_at = started
        return self._known

    async def set_dimensions(self, dimensions: int) -> None:
        """Hold all vectors to come to this length."""
        await self.facts.set_many({_DIMENSIONS: str(dimensions)})
        self.forget()

    async def set_shape(self, shape: Shape) -> None:
        """Change the shape; the caller holds the lock, or no other process can want to."""
        await self.facts.set_many({_STATE: shape.model_dump_json()})
        self.forget()

    def forget(self) -> None:
        """Read anew at the next question."""
        self._known = None

    async def writable(self) -> State:
        """Return the state, once no other process is replacing collections.

        Raises:
            StoreError: one still is, after a long wait.
        """
        end = time.monotonic() + 2 * _LOCK_SECONDS
        while True:
            state = await self.state()
            if state.lock is None or _age(state.lock) > _LOCK_SECONDS:
                return state
            if time.monotonic() > end:
                raise StoreError(
                    f"{self._connection.location.text}: another process is embedding or centring the store anew; "
                    "wait for it to end, then run the same command again"
                )
            await asyncio.sleep(_POLL_SECONDS)

    @asynccontextmanager
    async def writing(self, clocks: Iterable[str]) -> AsyncIterator[None]:
        """Move clocks before and after a write, so that nobody keeps what was read in between.

        A writer that is killed leaves them so: readers then keep nothing until the next write ends well.
        """
        names = list(clocks)
        if names:
            await self._move(names, _WRITING)
        yield
        if names:
            await self._move(names, "")

    async def _move(self, names: Iterable[str], prefix: str) -> None:
        await self.facts.set_many({("clock", name): f"{prefix}{uuid.uuid4().hex}" for name in names})
        self.forget()

    @asynccontextmanager
    async def rebuilding(self, *, patient: bool) -> AsyncIterator[bool]:
        """Be the one process that replaces collections; yields whether one is.

        Args:
            patient: wait for another that does so already; otherwise leave it to that one.
        """
        async with self._holding(_REBUILDING, patient=patient) as held:
            yield held

    @asynccontextmanager
    async def writers_out(self) -> AsyncIterator[None]:
        """Keep other processes' writers waiting."""
        async with self._holding(_WRITERS_OUT, patient=True):
            yield

    @asynccontextmanager
    async def _holding(self, fact: tuple[str, str], *, patient: bool) -> AsyncIterator[bool]:
        while not await self.facts.claim(*fact, _stamp()):
            left = await self.facts.get(*fact)
            if left is not None and _age(left) > _LOCK_SECONDS:
                await self.facts.remove(fact[0], [fact[1]])
            elif not patient:
                yield False
                return
            else:
                await asyncio.sleep(_POLL_SECONDS)
        renewing = asyncio.create_task(self._renew(fact))
        try:
            yield True
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            await self.facts.remove(fact[0], [fact[1]])
            self.forget()

    async def _renew(self, fact: tuple[str, str]) -> None:
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            await self.facts.set_many({fact: _stamp()})


def _stamp() -> str:
    return f"{time.time():.3f}"


def _age(lock: str) -> float:
    return time.time() - float(lock)
