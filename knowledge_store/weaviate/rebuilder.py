"""Replacing collections by a new generation: for another embedding, another centre or a newer layout.

Readers see the old generation until everything is done. A kill leaves it in use, and the next attempt drops the
unfinished new one.
"""

import asyncio
from collections.abc import Iterable, Sequence

from llm4tag.knowledge_store import centring
from llm4tag.knowledge_store.items import BATCH, Item, ItemKind, common_length, embedded_text
from llm4tag.knowledge_store.store_embedding import StoreEmbedding
from llm4tag.knowledge_store.weaviate.connection import Connection
from llm4tag.knowledge_store.weaviate.layout import (
    StorePart,
    drop_collection,
    make_collection,
)
from llm4tag.knowledge_store.weaviate.object_reads import StoredObject, by_id, revisions, scan
from llm4tag.knowledge_store.weaviate.object_writes import PART_OF, ObjectWriter
from llm4tag.knowledge_store.weaviate.store_state import StateManager, StoreMetadata, WeaviateState
from llm4tag.models.embedder import Progress, Vector
from llm4tag.models.embedder_registry import NO_EMBEDDING
from llm4tag.schema import StoreError

_OWN_PARTS = {
    ItemKind.TAG: (StorePart.VOCABULARY, StorePart.TAGS, StorePart.UNITS),
    ItemKind.CONTENT: (StorePart.CONTENTS,),
    ItemKind.PASSAGE: (StorePart.PASSAGES,),
}


class Rebuilder:
    """Makes the next generation of some of a store's collections.

    Args:
        connection: the connection to the store's server.
        manager: reads and changes the store's state.
        embedding: the embedder that embeds everything again; None copies the vectors.
        progress: called with the number of objects just embedded.
        recentre: freeze the mean of the present content vectors, although none is embedded again.
    """

    def __init__(
        self,
        connection: Connection,
        manager: StateManager,
        embedding: StoreEmbedding | None = None,
        progress: Progress | None = None,
        *,
        recentre: bool = False,
    ) -> None:
        self._recentre = recentre
        self._connection = connection
        self._manager = manager
        self._embedding = embedding
        self._progress = progress
        self._objects = ObjectWriter(connection)
        self._copied: dict[ItemKind, dict[str, str]] = {}
        self._counted: set[tuple[ItemKind, str]] = set()

    async def copy(self, kinds: Iterable[ItemKind]) -> WeaviateState:
        """Copy everything while others go on writing; return the state with the new generation."""
        old = await self._manager.state()
        parts = [part for kind in kinds for part in _OWN_PARTS[kind]]
        generations = {
            part: generation + 1 if part in parts else generation
            for part, generation in old.metadata.generations.items()
        }
        for part in parts:
            await drop_collection(self._connection, part, generations[part])
        await asyncio.gather(*(make_collection(self._connection, part, generations[part]) for part in parts))
        name = old.metadata.embedding if self._embedding is None else self._embedding.name
        metadata = StoreMetadata(
            embedding=name,
            generations=generations,
            centre=old.metadata.centre,
            centre_version=old.metadata.centre_version,
            centred_contents=old.metadata.centred_contents,
        )
        new = WeaviateState(
            metadata=metadata, clocks={}, dimensions=0 if self._embedding else old.dimensions, lock=None
        )
        if self._recentre or self._embedding is not None:
            new = await self._with_centre(old, new)
        for kind in kinds:
            self._copied[kind] = {}
            async for page in scan(self._connection, PART_OF[kind], self._name(old, kind), vectors=True):
                new = await self._put(kind, page, new)
        return new

    async def catch_up(self, new: WeaviateState) -> WeaviateState:
        """Copy what was written in the meantime, until nothing is left; no other process may write now."""
        old = await self._manager.state()
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

    async def swap(self, new: WeaviateState) -> None:
        """Put the new generation into use and drop the old one."""
        old = await self._manager.state()
        if self._embedding is not None:
            await self._manager.set_dimensions(new.dimensions)
        await self._manager.set_metadata(new.metadata)
        async with self._manager.writing(("tags", "assignments")):
            pass
        for part, generation in old.metadata.generations.items():
            if new.metadata.generations[part] != generation:
                await drop_collection(self._connection, part, generation)

    def _name(self, state: WeaviateState, kind: ItemKind) -> str:
        return state.name(self._connection.location.name, PART_OF[kind])

    async def _put(self, kind: ItemKind, page: Sequence[StoredObject], new: WeaviateState) -> WeaviateState:
        for at in range(0, len(page), BATCH):
            some = page[at : at + BATCH]
            vectors = await self._vectors(kind, some)
            new = new.model_copy(update={"dimensions": common_length(vectors, new.dimensions)})
            # The place of each object in the order stays.
            before = {each.item.id: each for each in some}
            refused = await self._objects.write(kind, new, [each.item for each in some], vectors, before)
            if refused:
                raise StoreError(
                    f"{refused[0].id!r} was refused: {refused[0].reason}: the store is unchanged",
                    where=self._connection.location.text,
                )
            self._copied[kind] |= {each.item.id: each.revision for each in some}
        return new

    async def _drop(self, kind: ItemKind, ids: Sequence[str], new: WeaviateState) -> None:
        place = self._name(new, kind)
        found = await by_id(self._connection, PART_OF[kind], place, ids)
        await self._objects.delete(kind, new, [each.item for each in found.values()])
        for object_id in ids:
            self._copied[kind].pop(object_id, None)

    async def _vectors(self, kind: ItemKind, stored: Sequence[StoredObject]) -> dict[str, Vector | None]:
        if self._embedding is None:
            return {each.item.id: each.vector for each in stored}
        if self._embedding.name == NO_EMBEDDING:
            return {each.item.id: None for each in stored}
        texts = [embedded_text(each.item) for each in stored]
        found = await self._embedding.vectors_or_none(texts, kind.embedded_as)
        self._count(kind, [each.item for each in stored])
        return {each.item.id: vector for each, vector in zip(stored, found, strict=True)}

    def _count(self, kind: ItemKind, items: Sequence[Item]) -> None:
        """Report objects that were embedded for the first time; contents are embedded twice."""
        new = {(kind, item.id) for item in items} - self._counted
        self._counted |= new
        if self._progress is not None and new:
            self._progress(len(new))

    async def _with_centre(self, old: WeaviateState, new: WeaviateState) -> WeaviateState:
        """Compute the mean of all content vectors before any is written centred."""
        running = centring.RunningMean()
        contents = 0
        had_centre = old.metadata.centre is not None
        if new.metadata.embedding != NO_EMBEDDING:
            async for page in scan(
                self._connection, StorePart.CONTENTS, self._name(old, ItemKind.CONTENT), vectors=True
            ):
                contents += len(page)
                for vector in (await self._vectors(ItemKind.CONTENT, page)).values():
                    if vector is not None:
                        running.add(vector)
        metadata = new.metadata
        mean = running.value
        if mean is not None and (self._recentre or had_centre or centring.due(contents, 0)):
            version = 1 if self._embedding is not None else metadata.centre_version + 1
            metadata = metadata.with_centre(mean, version)
            metadata = metadata.model_copy(update={"centred_contents": contents})
        elif self._embedding is not None:
            metadata = metadata.with_centre(None, 0).model_copy(update={"centred_contents": 0})
        return new.model_copy(update={"metadata": metadata})


async def mean_of_some(connection: Connection, name: str, most: int) -> Vector | None:
    """Return the mean of about ``most`` content vectors; they are read by UUID, so they are a fair sample."""
    mean = centring.RunningMean()
    async for page in scan(connection, StorePart.CONTENTS, name, vectors=True):
        for each in page:
            if each.vector is not None:
                mean.add(each.vector)
        if mean.count >= most:
            break
    return mean.value
