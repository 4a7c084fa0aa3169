"""Idempotent upserts in batches, deletes and assignments."""

import asyncio
from collections.abc import Mapping, Sequence

from weaviate.classes.query import Filter

from llm4tag.knowledge_store import centring
from llm4tag.knowledge_store.items import (
    BATCH,
    BatchPlan,
    Item,
    ItemKind,
    batches,
    common_length,
    embedded_text,
    no_content,
    plan_batch,
    with_assignments,
)
from llm4tag.knowledge_store.records import Refused, Writing
from llm4tag.knowledge_store.store_embedding import StoreEmbedding
from llm4tag.knowledge_store.weaviate.connection import Connection
from llm4tag.knowledge_store.weaviate.layout import StorePart
from llm4tag.knowledge_store.weaviate.object_reads import StoredObject, by_id, count, matching
from llm4tag.knowledge_store.weaviate.object_writes import PART_OF, ObjectWriter, require_all
from llm4tag.knowledge_store.weaviate.rebuilder import Rebuilder, mean_of_some
from llm4tag.knowledge_store.weaviate.store_state import StateManager, WeaviateState
from llm4tag.models.embedder import Progress, Vector
from llm4tag.models.embedder_registry import NO_EMBEDDING
from llm4tag.schema import Assignment, Tag, TaggedContent

CLOCKS_OF: Mapping[ItemKind, tuple[str, ...]] = {
    ItemKind.TAG: ("tags",),
    ItemKind.CONTENT: ("assignments",),
    ItemKind.PASSAGE: ("passages",),
}
_SAMPLE = 2000
"""Number of contents whose mean shows whether the centre has moved."""


class ServerWriter:
    """Writes into one store.

    Args:
        connection: the connection to the store's server.
        manager: reads and changes the store's state.
        embedding: the store's embedder.
    """

    def __init__(self, connection: Connection, manager: StateManager, embedding: StoreEmbedding) -> None:
        self.lock = asyncio.Lock()
        """Held while objects are read, changed and written back: tasks of one process then do not interleave."""
        self._rebuilding = asyncio.Lock()
        self._connection = connection
        self._manager = manager
        self._embedding = embedding
        self._objects = ObjectWriter(connection)

    async def upsert(
        self,
        kind: ItemKind,
        items: Sequence[Item],
        progress: Progress | None = None,
        vectors: Mapping[str, Vector] | None = None,
    ) -> Writing:
        """Add or replace objects; a vector that is given is not computed.

        While one batch is written, the next is embedded.
        """
        total = Writing()
        prepared: asyncio.Task[dict[str, Vector | None]] | None = None
        todo = list(batches(items))
        try:
            for number, batch in enumerate(todo):
                found = await (prepared or asyncio.create_task(self._prepare(kind, batch, vectors or {})))
                following = todo[number + 1] if number + 1 < len(todo) else None
                prepared = None
                if following is not None:
                    prepared = asyncio.create_task(self._prepare(kind, following, vectors or {}))
                total += await self._upsert_batch(kind, batch, found)
                if progress is not None:
                    progress(len(batch))
        finally:
            if prepared is not None:
                prepared.cancel()
                await asyncio.gather(prepared, return_exceptions=True)
        return total

    async def _prepare(
        self, kind: ItemKind, batch: Sequence[Item], given: Mapping[str, Vector]
    ) -> dict[str, Vector | None]:
        """Return the vectors that a batch needs, compared with what the store holds now."""
        vectors: dict[str, Vector | None] = {item.id: given[item.id] for item in batch if item.id in given}
        if len(vectors) < len(batch):
            plan, _, _ = await self._plan(kind, batch, vectors)
            await self._embed(kind, plan, vectors)
        return vectors

    async def _plan(
        self, kind: ItemKind, batch: Sequence[Item], vectors: Mapping[str, Vector | None]
    ) -> tuple[BatchPlan, WeaviateState, dict[str, StoredObject]]:
        name = self._embedding.name
        state = await self._manager.writable()
        self._embedding.check(state.metadata.embedding, name)
        place = state.name(self._connection.location.name, PART_OF[kind])
        before = await by_id(self._connection, PART_OF[kind], place, [item.id for item in batch])
        known = {object_id: stored.item for object_id, stored in before.items()}
        return plan_batch(batch, known, vectors, embeds=name != NO_EMBEDDING), state, before

    async def _embed(self, kind: ItemKind, plan: BatchPlan, vectors: dict[str, Vector | None]) -> None:
        texts = [embedded_text(item) for item in plan.unembedded]
        found = await self._embedding.vectors_or_none(texts, kind.embedded_as)
        vectors |= zip((item.id for item in plan.unembedded), found, strict=True)

    async def _upsert_batch(
        self, kind: ItemKind, batch: Sequence[Item], vectors: dict[str, Vector | None]
    ) -> Writing:
        while True:
            async with self.lock:
                plan, state, before = await self._plan(kind, batch, vectors)
                if not plan.unembedded:
                    return await self._write(kind, state, plan, before) if plan.items else plan.writing
            # Another task has changed the same texts in the meantime.
            await self._embed(kind, plan, vectors)

    async def _write(
        self, kind: ItemKind, state: WeaviateState, plan: BatchPlan, before: Mapping[str, StoredObject]
    ) -> Writing:
        await self._check_dimensions(state, plan.vectors)
        if kind is ItemKind.CONTENT:
            state = await self._first_centre(state, plan.vectors)
        vectors = await self._all_vectors(kind, state, plan)
        async with self._manager.writing(CLOCKS_OF[kind]):
            refused = await self._objects.write(kind, state, plan.items, vectors, before)
        return _without(plan.writing, refused, before)

    async def _first_centre(self, state: WeaviateState, vectors: Mapping[str, Vector | None]) -> WeaviateState:
        """Centre an empty store by the first large batch, which otherwise would be written again at once."""
        mean = centring.RunningMean()
        for vector in vectors.values():
            if vector is not None:
                mean.add(vector)
        if state.metadata.centre is not None or not centring.due(mean.count, 0):
            return state
        if await count(self._connection, state.name(self._connection.location.name, StorePart.CONTENTS)):
            return state
        metadata = state.metadata.with_centre(mean.value, 1).model_copy(update={"centred_contents": mean.count})
        await self._manager.set_metadata(metadata)
        return state.model_copy(update={"metadata": metadata})

    async def _all_vectors(
        self, kind: ItemKind, state: WeaviateState, plan: BatchPlan
    ) -> dict[str, Vector | None]:
        """Return the vectors to write: an object is replaced whole, so one that stays has to be read first."""
        staying = [item.id for item in plan.items if item.id not in plan.vectors]
        place = state.name(self._connection.location.name, PART_OF[kind])
        stored = await by_id(self._connection, PART_OF[kind], place, staying, vectors=True)
        return {**{object_id: each.vector for object_id, each in stored.items()}, **plan.vectors}

    async def _check_dimensions(self, state: WeaviateState, vectors: Mapping[str, Vector | None]) -> None:
        """Make sure that all vectors of the store have the same length."""
        length = common_length(vectors, state.dimensions)
        if length != state.dimensions:
            await self._manager.set_dimensions(length)

    async def recentre_when_due(self) -> None:
        """Freeze the mean of content vectors if it is due for the first time or again, and has moved."""
        if self._embedding.name == NO_EMBEDDING:
            return
        state = await self._manager.state()
        place = state.name(self._connection.location.name, StorePart.CONTENTS)
        contents = await count(self._connection, place)
        if not centring.due(contents, state.metadata.centred_contents) or self._rebuilding.locked():
            return
        mean = await mean_of_some(self._connection, place, _SAMPLE)
        if mean is None or not centring.moved(state.metadata.centre_vector, mean):
            await self._manager.set_metadata(state.metadata.model_copy(update={"centred_contents": contents}))
        else:
            await self._recentre(patient=False)

    async def recentre(self) -> None:
        """Freeze the mean of the present content vectors, and centre all contents by it."""
        await self._recentre(patient=True)

    async def _recentre(self, *, patient: bool) -> None:
        if self._embedding.name != NO_EMBEDDING:
            rebuilder = Rebuilder(self._connection, self._manager, recentre=True)
            await self._rebuild(rebuilder, [ItemKind.CONTENT], patient=patient)

    async def reembed(self, embedding: StoreEmbedding, progress: Progress | None) -> None:
        """Embed everything again with another embedder."""
        rebuilder = Rebuilder(self._connection, self._manager, embedding, progress)
        await self._rebuild(rebuilder, list(ItemKind), patient=True)

    async def _rebuild(self, rebuilder: Rebuilder, kinds: Sequence[ItemKind], *, patient: bool) -> None:
        async with self._rebuilding, self._manager.rebuilding(patient=patient) as held:
            if held:
                new = await rebuilder.copy(kinds)
                async with self.lock, self._manager.writers_out():
                    await rebuilder.swap(await rebuilder.catch_up(new))

    async def assign(self, content_id: str, assignments: Sequence[Assignment]) -> None:
        """Add assignments to a content, in place of those of the same tag and provenance.

        Raises:
            StoreError: the content does not exist.
        """
        async with self.lock:
            state = await self._manager.writable()
            found = await self._contents(state, [content_id])
            if content_id not in found:
                raise no_content(content_id)
            content = found[content_id].item
            assert isinstance(content, TaggedContent)
            after = {(item.tag, item.provenance): item for item in (*content.assignments, *assignments)}
            await self._rewrite(
                state, {content_id: found[content_id]}, [with_assignments(content, after.values())]
            )

    async def retire(self, ids: Sequence[str]) -> int:
        """Mark tags as retired; return how many were not retired before."""
        async with self.lock:
            state = await self._manager.writable()
            place = state.name(self._connection.location.name, StorePart.VOCABULARY)
            found = await by_id(
                self._connection, StorePart.VOCABULARY, place, list(dict.fromkeys(ids)), vectors=True
            )
            tags = [each.item for each in found.values() if isinstance(each.item, Tag) and not each.item.retired]
            if tags:
                changed = [tag.model_copy(update={"retired": True}) for tag in tags]
                vectors = {tag_id: each.vector for tag_id, each in found.items()}
                async with self._manager.writing(("tags",)):
                    require_all(
                        self._connection, await self._objects.write(ItemKind.TAG, state, changed, vectors, found)
                    )
            return len(tags)

    async def delete(self, kind: ItemKind, ids: Sequence[str]) -> int:
        """Delete objects, tags with their assignments; return how many existed."""
        unique = list(dict.fromkeys(ids))
        async with self.lock:
            state = await self._manager.writable()
            place = state.name(self._connection.location.name, PART_OF[kind])
            found = await by_id(self._connection, PART_OF[kind], place, unique)
            async with self._manager.writing(("tags", "assignments") if kind is ItemKind.TAG else CLOCKS_OF[kind]):
                if kind is ItemKind.TAG:
                    await self._strip(state, unique)
                return await self._objects.delete(kind, state, [each.item for each in found.values()])

    async def _strip(self, state: WeaviateState, tag_ids: Sequence[str]) -> None:
        """Remove the assignments of these tags from all contents."""
        if not tag_ids:
            return
        where = Filter.by_property("human_tags").contains_any(list(tag_ids)) | Filter.by_property(
            "model_tags"
        ).contains_any(list(tag_ids))
        place = state.name(self._connection.location.name, StorePart.CONTENTS)
        found_keys = matching(self._connection, place, where, ["key"])
        carrying = [str(each.properties["key"]) async for each in found_keys]
        for at in range(0, len(carrying), BATCH):
            found = await self._contents(state, carrying[at : at + BATCH])
            contents = [each.item for each in found.values() if isinstance(each.item, TaggedContent)]
            await self._rewrite(
                state,
                found,
                [
                    with_assignments(content, [item for item in content.assignments if item.tag not in tag_ids])
                    for content in contents
                ],
            )

    async def _contents(self, state: WeaviateState, ids: Sequence[str]) -> dict[str, StoredObject]:
        place = state.name(self._connection.location.name, StorePart.CONTENTS)
        return await by_id(self._connection, StorePart.CONTENTS, place, ids, vectors=True)

    async def _rewrite(
        self, state: WeaviateState, found: Mapping[str, StoredObject], contents: Sequence[TaggedContent]
    ) -> None:
        vectors = {content_id: each.vector for content_id, each in found.items()}
        async with self._manager.writing(("assignments",)):
            require_all(
                self._connection, await self._objects.write(ItemKind.CONTENT, state, contents, vectors, found)
            )


def _without(writing: Writing, refused: Sequence[Refused], before: Mapping[str, StoredObject]) -> Writing:
    """Return the report of a write without the objects that were refused."""
    changed = sum(each.id in before for each in refused)
    return writing.model_copy(
        update={
            "added": writing.added - (len(refused) - changed),
            "changed": writing.changed - changed,
            "refused": tuple(refused),
        }
    )
