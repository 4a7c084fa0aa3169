"""Exporting a store on a server as records, and what an import into it needs."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import islice
from typing import IO

from llm4tag.knowledge_store.importer import encoded
from llm4tag.knowledge_store.items import BATCH, Item, ItemKind, vector_blob
from llm4tag.knowledge_store.records import Artifact, Mark, Record, Writing
from llm4tag.knowledge_store.weaviate.connection import Connection, on_loop
from llm4tag.knowledge_store.weaviate.key_values import ARTIFACT, MARK
from llm4tag.knowledge_store.weaviate.layout import StorePart
from llm4tag.knowledge_store.weaviate.object_reads import StoredObject, count, scan
from llm4tag.knowledge_store.weaviate.object_writes import require_all
from llm4tag.knowledge_store.weaviate.store_state import StateManager, WeaviateState, settled
from llm4tag.knowledge_store.weaviate.writes import ServerWriter
from llm4tag.models.embedder import Progress, Vector
from llm4tag.schema import Passage, StoreError, Tag, TaggedContent

_TRIES = 3
_IN_MEMORY = 16_000_000


class Spool:
    """Holds all records of a store at one moment in a temporary file, since the server has no snapshots."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        self._places: dict[StorePart, list[tuple[int, str, int]]] = {}
        self._marks_and_artifacts: list[Record] = []
        self._head = Record()

    async def fill(self, connection: Connection, manager: StateManager) -> None:
        """Read the whole store.

        Raises:
            StoreError: other processes wrote to the store each time, or the server failed.
        """
        for _ in range(_TRIES):
            before = await manager.state()
            await self._read(connection, manager, before)
            after = await manager.state()
            if before == after and all(settled(clock) for clock in after.clocks.values()):
                return
        raise StoreError(
            "the store is being written to",
            where=connection.location.text,
            remedy="export it when the writing has ended",
        )

    async def _read(self, connection: Connection, manager: StateManager, state: WeaviateState) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._head = Record(embedding=state.metadata.embedding, centre=state.metadata.centre)
        for part in (StorePart.VOCABULARY, StorePart.CONTENTS, StorePart.PASSAGES):
            places = self._places[part] = []
            async for page in scan(connection, part, state.name(connection.location.name, part), vectors=True):
                for stored in page:
                    places.append((stored.order, stored.item.id, self._file.tell()))
                    self._file.write(_record(stored).model_dump_json(exclude_none=True).encode() + b"\n")
            places.sort()
        marks = await manager.key_values.all_of(MARK)
        self._marks_and_artifacts = [
            Record(mark=Mark(key=key, value=value)) for key, value in sorted(marks.items())
        ]
        for name in sorted(await manager.key_values.all_of(ARTIFACT)):
            data = await manager.key_values.get_artifact(name)
            self._marks_and_artifacts.append(Record(artifact=Artifact(name=name, data=encoded(data) or "")))

    async def records(self) -> AsyncIterator[Record]:
        """Yield the head, then tags, contents, passages, marks and artifacts; close the file at the end."""
        try:
            records = self._records()
            while page := await asyncio.to_thread(lambda: list(islice(records, BATCH))):
                for record in page:
                    yield record
        finally:
            self._file.close()

    def _records(self) -> Iterator[Record]:
        yield self._head
        for places in self._places.values():
            for _, _, at in places:
                self._file.seek(at)
                yield Record.model_validate_json(self._file.readline())
        yield from self._marks_and_artifacts


def _record(stored: StoredObject) -> Record:
    vector = None if stored.vector is None else encoded(vector_blob(stored.vector))
    item = stored.item
    return Record(
        tag=item if isinstance(item, Tag) else None,
        content=item if isinstance(item, TaggedContent) else None,
        passage=item if isinstance(item, Passage) else None,
        vector=vector,
    )


class ServerTarget:
    """Writes the objects and the centre of an import into one store on a server.

    Args:
        connection: the connection to the server.
        manager: reads and changes the store's state.
        writer: writes objects into the store.
    """

    def __init__(self, connection: Connection, manager: StateManager, writer: ServerWriter) -> None:
        self._connection = connection
        self._manager = manager
        self._writer = writer

    @on_loop
    async def upsert(
        self, kind: ItemKind, items: Sequence[Item], progress: Progress | None, vectors: Mapping[str, Vector]
    ) -> Writing:
        """Add or replace objects; a vector that is given is not computed."""
        done = await self._writer.upsert(kind, items, progress, vectors)
        require_all(self._connection, done.refused)
        return done

    @on_loop
    async def adopt_centre(self, centre: Vector) -> bool:
        """Take over the centre if there are no contents yet, so that scores stay the same."""
        state = await self._manager.writable()
        if await count(self._connection, state.name(self._manager.store, StorePart.CONTENTS)):
            return False
        await self._manager.set_metadata(state.metadata.with_centre(centre, state.metadata.centre_version + 1))
        return True

    @on_loop
    async def finish_import(self, adopted: bool) -> None:
        """Record how many contents an adopted centre belongs to; compute a centre if one is due."""
        if adopted:
            state = await self._manager.writable()
            contents = await count(self._connection, state.name(self._manager.store, StorePart.CONTENTS))
            await self._manager.set_metadata(state.metadata.model_copy(update={"centred_contents": contents}))
        await self._writer.recentre_when_due()
