"""Replacing collections by a new generation: embedding anew, centring anew, a newer layout.

Readers see the old until all is done; a kill leaves the old in force, and the half-made new to be dropped by the
next attempt.
"""

import asyncio
from collections.abc import Iterable, Sequence

import numpy as np

from llm4tag.knowledge_store import centre_rule as centring
from llm4tag.knowledge_store.items import BATCH, Item, Kind, check_length, embedded_text
from llm4tag.knowledge_store.store_embedding import NO_EMBEDDING, StoreEmbedding
from llm4tag.knowledge_store.weaviate.connection import Connection
from llm4tag.knowledge_store.weaviate.layout import (
    Part,
    drop_collection,
    make_collection,
)
from llm4tag.knowledge_store.weaviate.object_reads import Stored, by_id, revisions, scan
from llm4tag.knowledge_store.weaviate.object_writes import PART_OF, Putter
from llm4tag.knowledge_store.weaviate.store_state import Keeper, Shape, State
from llm4tag.models.embedder import Progress, Vector
from llm4tag.schema import StoreError

_OWN_PARTS = {
    Kind.TAG: (Part.VOCABULARY, Part.TAGS, Part.UNITS),
    Kind.CONTENT: (Part.CONTENTS,),
    Kind.PASSAGE: (Part.PASSAGES,),
}


class Rebuilder:
    """Makes the next generation of some of a store's collections.

    Args:
        connection: to its server.
        keeper: of its state.
        embedding: the embedder to embed all anew with; None keeps the vectors.
        progress: called with the count of objects just embedded.
        recentre: freeze the mean of today's content vectors, though none is embedded anew.
    """

    def __init__(
        self,
        connection: Connection,
        keeper: Keeper,
        embedding: StoreEmbedding | None = None,
        progress: Progress | None = None,
        *,
        recentre: bool = False,
    ) -> None:
        self._recentre = recentre
        self._connection = connection
        self._keeper = keeper
        self._embedding = embedding
        self._progress = progress
        self._putter = Putter(connection)
        self._copied: dict[Kind, dict[str, str]] = {}
        self._counted: set[tuple[Kind, str]] = set()

    async def copy(self, kinds: Iterable[Kind]) -> State:
        """Copy everything while others go on writing; return the state that is to come."""
        old = await self._keeper.state()
        parts = [part for kind in kinds for part in _OWN_PARTS[kind]]
        generations = {
            part: generation + 1 if part in parts else generation
            for part, generation in old.shape.generations.items()
        }
        for part in parts:
            await drop_collection(self._connection, part, generations[part])
        await asyncio.gather(*(make_collection(self._connection, part, generations[part]) for part in parts))
        name = old.shape.embedding if self._embedding is None else self._embedding.name
        shape = Shape(
            embedding=name,
            generations=generations,
            centre=old.shape.centre,
            centre_version=old.shape.centre_version,
            centred_contents=old.shape.centred_contents,
        )
        new = State(shape=shape, clocks={}, dimensions=0 if self._embedding else old.dimensions, lock=None)
        if self._recentre or self._embedding is not None:
            new = await self._with_centre(old, new)
        for kind in kinds:
            self._copied[kind] = {}
            async for page in scan(self._connection, PART_OF[kind], self._name(old, kind), vectors=True):
                new = await self._put(kind, page, new)
        return new

    async def catch_up(self, new: State) -> State:
        """Copy what was written meanwhile, until nothing is left. No other process may write by now."""
        old = await self._keeper.state()
        for kind, copied in self._copied.items():
            while True:
                now = await revisions(self._connection, self._name(old, kind))
                gone = [object_id for object_id in copied if object_id not in now]
                late = [object_id for object_id, revision in now.items() if copied.get(object_id) != revision]
                if not gone and not late:
                    break
                await self._drop(kind, gone, new)
                for at in range(0, len(late), BATCH):
                    place = self._name(old, kind)
                    found = await by_id(
                        self._connection, PART_OF[kind], place, late[at : at + BATCH], vectors=True
                    )
                    await self._drop(kind, list(found), new)
                    new = await self._put(kind, list(found.values()), new)
        return new

    async def swap(self, new: State) -> None:
        """Put the new generation in force and drop the old one."""
        old = await self._keeper.state()
        if self._embedding is not None:
            await self._keeper.set_dimensions(new.dimensions)
        await self._keeper.set_shape(new.shape)
        async with self._keeper.writing(("tags", "assignments")):
            pass
        for part, generation in old.shape.generations.items():
            if new.shape.generations[part] != generation:
                await drop_collection(self._connection, part, generation)

    def _name(self, state: State, kind: Kind) -> str:
        return state.name(self._connection.location.name, PART_OF[kind])

    async def _put(self, kind: Kind, page: Sequence[Stored], new: State) -> State:
        for at in range(0, len(page), BATCH):
            some = page[at : at + BATCH]
            vectors = await self._vectors(kind, some)
            first = next((vector for vector in vectors.values() if vector is not None), None)
            if first is not None and not new.dimensions:
                new = new.model_copy(update={"dimensions": len(first)})
            for object_id, vector in vectors.items():
                if vector is not None:
                    check_length(object_id, vector, new.dimensions)
            # Each keeps its place in the order.
            before = {each.item.id: each for each in some}
            refused = await self._putter.put(kind, new, [each.item for each in some], vectors, before)
            if refused:
                raise StoreError(
                    f"{self._connection.location.text}: {refused[0].id!r} was refused: {refused[0].reason}; "
                    "the store is as it was"
                )
            self._copied[kind] |= {each.item.id: each.revision for each in some}
        return new

    async def _drop(self, kind: Kind, ids: Sequence[str], new: State) -> None:
        place = self._name(new, kind)
        found = await by_id(self._connection, PART_OF[kind], place, ids)
        await self._putter.take_out(kind, new, [each.item for each in found.values()])
        for object_id in ids:
            self._copied[kind].pop(object_id, None)

    async def _vectors(self, kind: Kind, stored: Sequence[Stored]) -> dict[str, Vector | None]:
        if self._embedding is None:
            return {each.item.id: each.vector for each in stored}
        if self._embedding.name == NO_EMBEDDING:
            return {each.item.id: None for each in stored}
        texts = [embedded_text(each.item) for each in stored]
        found = await self._embedding.vectors_of_filled(texts, kind.embedded_as)
        self._count(kind, [each.item for each in stored])
        return {each.item.id: vector for each, vector in zip(stored, found, strict=True)}

    def _count(self, kind: Kind, items: Sequence[Item]) -> None:
        """Report objects that were embedded for the first time; contents are read twice."""
        new = {(kind, item.id) for item in items} - self._counted
        self._counted |= new
        if self._progress is not None and new:
            self._progress(len(new))

    async def _with_centre(self, old: State, new: State) -> State:
        """Compute the mean of all content vectors, before any is written centred."""
        total: np.ndarray[tuple[int], np.dtype[np.float64]] | None = None
        contents = vectors = 0
        had_centre = old.shape.centre is not None
        if new.shape.embedding != NO_EMBEDDING:
            async for page in scan(self._connection, Part.CONTENTS, self._name(old, Kind.CONTENT), vectors=True):
                contents += len(page)
                for vector in (await self._vectors(Kind.CONTENT, page)).values():
                    if vector is not None:
                        total = vector.astype(np.float64) if total is None else total + vector
                        vectors += 1
        shape = new.shape
        if total is not None and vectors >= 2 and (self._recentre or had_centre or centring.due(contents, 0)):
            version = 1 if self._embedding is not None else shape.centre_version + 1
            shape = shape.with_centre((total / vectors).astype(np.float32), version)
            shape = shape.model_copy(update={"centred_contents": contents})
        elif self._embedding is not None:
            shape = shape.with_centre(None, 0).model_copy(update={"centred_contents": 0})
        return new.model_copy(update={"shape": shape})


async def mean_of_some(connection: Connection, name: str, most: int) -> Vector | None:
    """Return the mean of up to ``most`` content vectors: read by UUID, they are a fair sample."""
    rows: list[Vector] = []
    async for page in scan(connection, Part.CONTENTS, name, vectors=True):
        rows += [each.vector for each in page if each.vector is not None]
        if len(rows) >= most:
            break
    if len(rows) < 2:
        return None
    mean: Vector = np.stack(rows).mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean
