"""Idempotent upserts in batches, deletes and assignments."""

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np
from weaviate.classes.query import Filter

from llm4tag.knowledge_store import centre_rule as centring
from llm4tag.knowledge_store.items import (
    BATCH,
    Item,
    Kind,
    Plan,
    batches,
    check_length,
    embedded_text,
    plan_batch,
    with_assignments,
)
from llm4tag.knowledge_store.protocol import Refused, Writing
from llm4tag.knowledge_store.store_embedding import NO_EMBEDDING, StoreEmbedding
from llm4tag.knowledge_store.weaviate.connection import Connection
from llm4tag.knowledge_store.weaviate.layout import Part
from llm4tag.knowledge_store.weaviate.object_reads import Stored, by_id, count, matching
from llm4tag.knowledge_store.weaviate.object_writes import PART_OF, Putter, require_all
from llm4tag.knowledge_store.weaviate.rebuilder import Rebuilder, mean_of_some
from llm4tag.knowledge_store.weaviate.store_state import Keeper, State
from llm4tag.models.embedder import Progress, Vector
from llm4tag.schema import Assignment, StoreError, Tag, TaggedContent

CLOCKS_OF: Mapping[Kind, tuple[str, ...]] = {
    Kind.TAG: ("tags",),
    Kind.CONTENT: ("assignments",),
    Kind.PASSAGE: ("passages",),
}
_SAMPLE = 2000
"""Contents whose mean tells whether the centre has moved."""


class Writer:
    """Writes into one store.

    Args:
        connection: to its server.
        keeper: of its state.
        embedding: its embedder.
    """

    def __init__(self, connection: Connection, keeper: Keeper, embedding: StoreEmbedding) -> None:
        self.lock = asyncio.Lock()
        """Held while objects are read, changed and written back: tasks of one process do not interleave."""
        self._rebuilding = asyncio.Lock()
        self._connection = connection
        self._keeper = keeper
        self._embedding = embedding
        self._putter = Putter(connection)

    async def upsert(
        self,
        kind: Kind,
        items: Sequence[Item],
        progress: Progress | None = None,
        vectors: Mapping[str, Vector] | None = None,
    ) -> Writing:
        """Add or replace objects; vectors that are given are not computed.

        While one batch is written, the next is embedded.
        """
        total = Writing()
        prepared: asyncio.Task[dict[str, Vector | None]] | None = None
        todo = list(batches(items))
        try:
            for number, batch in enumerate(todo):
                own = prepared or asyncio.create_task(self._prepare(kind, batch, vectors or {}))
                found = await own
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
        self, kind: Kind, batch: Sequence[Item], given: Mapping[str, Vector]
    ) -> dict[str, Vector | None]:
        """Return the vectors that a batch needs, as the store stands now."""
        vectors: dict[str, Vector | None] = {item.id: given[item.id] for item in batch if item.id in given}
        if len(vectors) < len(batch):
            plan, _, _ = await self._plan(kind, batch, vectors)
            await self._embed(kind, plan, vectors)
        return vectors

    async def _plan(
        self, kind: Kind, batch: Sequence[Item], vectors: Mapping[str, Vector | None]
    ) -> tuple[Plan, State, dict[str, Stored]]:
        name = self._embedding.name
        state = await self._keeper.writable()
        self._embedding.check(state.shape.embedding, name)
        place = state.name(self._connection.location.name, PART_OF[kind])
        before = await by_id(self._connection, PART_OF[kind], place, [item.id for item in batch])
        known = {object_id: stored.item for object_id, stored in before.items()}
        return plan_batch(batch, known, vectors, embeds=name != NO_EMBEDDING), state, before

    async def _embed(self, kind: Kind, plan: Plan, vectors: dict[str, Vector | None]) -> None:
        texts = [embedded_text(item) for item in plan.unembedded]
        found = await self._embedding.vectors_of_filled(texts, kind.embedded_as)
        vectors |= zip((item.id for item in plan.unembedded), found, strict=True)

    async def _upsert_batch(self, kind: Kind, batch: Sequence[Item], vectors: dict[str, Vector | None]) -> Writing:
        while True:
            async with self.lock:
                plan, state, before = await self._plan(kind, batch, vectors)
                if not plan.unembedded:
                    return await self._write(kind, state, plan, before) if plan.items else plan.writing
            # Another task has changed the same texts meanwhile.
            await self._embed(kind, plan, vectors)

    async def _write(self, kind: Kind, state: State, plan: Plan, before: Mapping[str, Stored]) -> Writing:
        await self._check_dimensions(state, plan.vectors)
        if kind is Kind.CONTENT:
            state = await self._first_centre(state, plan.vectors)
        vectors = await self._all_vectors(kind, state, plan)
        async with self._keeper.writing(CLOCKS_OF[kind]):
            refused = await self._putter.put(kind, state, plan.items, vectors, before)
        return _without(plan.writing, refused, before)

    async def _first_centre(self, state: State, vectors: Mapping[str, Vector | None]) -> State:
        """Centre an empty store by the first large batch, rather than write that anew a moment later."""
        rows = [vector for vector in vectors.values() if vector is not None]
        if state.shape.centre is not None or not centring.due(len(rows), 0):
            return state
        if await count(self._connection, state.name(self._connection.location.name, Part.CONTENTS)):
            return state
        centre: Vector = np.stack(rows).mean(axis=0, dtype=np.float64).astype(np.float32)
        shape = state.shape.with_centre(centre, 1).model_copy(update={"centred_contents": len(rows)})
        await self._keeper.set_shape(shape)
        return state.model_copy(update={"shape": shape})

    async def _all_vectors(self, kind: Kind, state: State, plan: Plan) -> dict[str, Vector | None]:
        """Return the vectors to write: an object is replaced whole, so one that stays must be read first."""
        staying = [item.id for item in plan.items if item.id not in plan.vectors]
        place = state.name(self._connection.location.name, PART_OF[kind])
        stored = await by_id(self._connection, PART_OF[kind], place, staying, vectors=True)
        return {**{object_id: each.vector for object_id, each in stored.items()}, **plan.vectors}

    async def _check_dimensions(self, state: State, vectors: Mapping[str, Vector | None]) -> None:
        """Hold all vectors of a store to one length."""
        wanted = state.dimensions
        for object_id, vector in vectors.items():
            if vector is not None:
                if not wanted:
                    wanted = len(vector)
                    await self._keeper.set_dimensions(wanted)
                check_length(object_id, vector, wanted)

    async def recentre_when_due(self) -> None:
        """Freeze a centre for content vectors when there should be one, or a new one where the mean has moved."""
        if self._embedding.name == NO_EMBEDDING:
            return
        state = await self._keeper.state()
        place = state.name(self._connection.location.name, Part.CONTENTS)
        contents = await count(self._connection, place)
        if not centring.due(contents, state.shape.centred_contents) or self._rebuilding.locked():
            return
        mean = await mean_of_some(self._connection, place, _SAMPLE)
        if mean is None or not centring.moved(state.shape.centre_vector, mean):
            await self._keeper.set_shape(state.shape.model_copy(update={"centred_contents": contents}))
        else:
            await self._recentre(patient=False)

    async def recentre(self) -> None:
        """Freeze the mean of today's content vectors, and search all contents by it."""
        await self._recentre(patient=True)

    async def _recentre(self, *, patient: bool) -> None:
        if self._embedding.name != NO_EMBEDDING:
            rebuilder = Rebuilder(self._connection, self._keeper, recentre=True)
            await self._rebuild(rebuilder, [Kind.CONTENT], patient=patient)

    async def reembed(self, embedding: StoreEmbedding, progress: Progress | None) -> None:
        """Embed everything anew."""
        rebuilder = Rebuilder(self._connection, self._keeper, embedding, progress)
        await self._rebuild(rebuilder, list(Kind), patient=True)

    async def _rebuild(self, rebuilder: Rebuilder, kinds: Sequence[Kind], *, patient: bool) -> None:
        async with self._rebuilding, self._keeper.rebuilding(patient=patient) as held:
            if held:
                new = await rebuilder.copy(kinds)
                async with self.lock, self._keeper.writers_out():
                    await rebuilder.swap(await rebuilder.catch_up(new))

    async def assign(self, content_id: str, assignments: Sequence[Assignment]) -> None:
        """Add assignments to a content that exists, in place of those by the same provenance for the same tag."""
        async with self.lock:
            state = await self._keeper.writable()
            found = await self._contents(state, [content_id])
            if content_id not in found:
                raise StoreError(
                    f"no content with id {content_id!r} in the store; add it first (`llm4tag ingest history`)"
                )
            content = found[content_id].item
            assert isinstance(content, TaggedContent)
            kept = {(item.tag, item.provenance): item for item in content.assignments}
            kept |= {(item.tag, item.provenance): item for item in assignments}
            await self._rewrite(state, {content_id: found[content_id]}, [with_assignments(content, kept.values())])

    async def retire(self, ids: Sequence[str]) -> int:
        """Mark tags as retired; return how many were not yet."""
        async with self.lock:
            state = await self._keeper.writable()
            place = state.name(self._connection.location.name, Part.VOCABULARY)
            found = await by_id(self._connection, Part.VOCABULARY, place, list(dict.fromkeys(ids)), vectors=True)
            tags = [each.item for each in found.values() if isinstance(each.item, Tag) and not each.item.retired]
            if tags:
                changed = [tag.model_copy(update={"retired": True}) for tag in tags]
                vectors = {tag_id: each.vector for tag_id, each in found.items()}
                async with self._keeper.writing(("tags",)):
                    require_all(self._connection, await self._putter.put(Kind.TAG, state, changed, vectors, found))
            return len(tags)

    async def delete(self, kind: Kind, ids: Sequence[str]) -> int:
        """Delete objects, tags with their assignments; return how many were there."""
        unique = list(dict.fromkeys(ids))
        async with self.lock:
            state = await self._keeper.writable()
            place = state.name(self._connection.location.name, PART_OF[kind])
            found = await by_id(self._connection, PART_OF[kind], place, unique)
            async with self._keeper.writing(("tags", "assignments") if kind is Kind.TAG else CLOCKS_OF[kind]):
                if kind is Kind.TAG:
                    await self._strip(state, unique)
                return await self._putter.take_out(kind, state, [each.item for each in found.values()])

    async def _strip(self, state: State, tag_ids: Sequence[str]) -> None:
        """Take assignments of these tags away from all contents."""
        if not tag_ids:
            return
        where = Filter.by_property("human_tags").contains_any(list(tag_ids)) | Filter.by_property(
            "model_tags"
        ).contains_any(list(tag_ids))
        place = state.name(self._connection.location.name, Part.CONTENTS)
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

    async def _contents(self, state: State, ids: Sequence[str]) -> dict[str, Stored]:
        place = state.name(self._connection.location.name, Part.CONTENTS)
        return await by_id(self._connection, Part.CONTENTS, place, ids, vectors=True)

    async def _rewrite(self, state: State, found: Mapping[str, Stored], contents: Sequence[TaggedContent]) -> None:
        vectors = {content_id: each.vector for content_id, each in found.items()}
        async with self._keeper.writing(("assignments",)):
            require_all(self._connection, await self._putter.put(Kind.CONTENT, state, contents, vectors, found))


def _without(writing: Writing, refused: Sequence[Refused], before: Mapping[str, Stored]) -> Writing:
    """Return the report without what was refused."""
    changed = sum(each.id in before for each in refused)
    return writing.model_copy(
        update={
            "added": writing.added - (len(refused) - changed),
            "changed": writing.changed - changed,
            "refused": tuple(refused),
        }
    )
