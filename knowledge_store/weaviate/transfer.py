"""A whole store as records: spooled first, as the server knows no snapshots."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import islice
from typing import IO

from llm4tag.knowledge_store.importer import encoded
from llm4tag.knowledge_store.items import BATCH, Item, Kind, vector_blob
from llm4tag.knowledge_store.protocol import Writing
from llm4tag.knowledge_store.records import Artifact, Mark, Record
from llm4tag.knowledge_store.weaviate.connection import Connection, on_loop
from llm4tag.knowledge_store.weaviate.facts import ARTIFACT, MARK
from llm4tag.knowledge_store.weaviate.layout import Part
from llm4tag.knowledge_store.weaviate.object_reads import Stored, count, scan
from llm4tag.knowledge_store.weaviate.object_writes import require_all
from llm4tag.knowledge_store.weaviate.store_state import Keeper, State, settled
from llm4tag.knowledge_store.weaviate.writes import Writer
from llm4tag.models.embedder import Progress, Vector
from llm4tag.schema import Passage, StoreError, Tag, TaggedContent

_TRIES = 3
_IN_MEMORY = 16_000_000


class Spool:
    """All records of a store at one moment, in a temporary file, to be read in the order of an export."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        self._places: dict[Part, list[tuple[int, str, int]]] = {}
        self._facts: list[Record] = []
        self._head = Record()

    async def fill(self, connection: Connection, keeper: Keeper) -> None:
        """Read the store.

        Raises:
            StoreError: others kept writing, or the server failed.
        """
        for _ in range(_TRIES):
            before = await keeper.state()
            await self._read(connection, keeper, before)
            after = await keeper.state()
            if before == after and all(settled(clock) for clock in after.clocks.values()):
                return
        raise StoreError(
            f"{connection.location.text}: the store is being written to; export it when the writing has ended"
        )

    async def _read(self, connection: Connection, keeper: Keeper, state: State) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._head = Record(embedding=state.shape.embedding, centre=state.shape.centre)
        for part in (Part.VOCABULARY, Part.CONTENTS, Part.PASSAGES):
            places = self._places[part] = []
            async for page in scan(connection, part, state.name(connection.location.name, part), vectors=True):
                for stored in page:
                    places.append((stored.order, stored.item.id, self._file.tell()))
                    self._file.write(_record(stored).model_dump_json(exclude_none=True).encode() + b"\n")
            places.sort()
        marks = await keeper.facts.all_of(MARK)
        self._facts = [Record(mark=Mark(key=key, value=value)) for key, value in sorted(marks.items())]
        for name in sorted(await keeper.facts.all_of(ARTIFACT)):
            data = await keeper.facts.get_artifact(name)
            self._facts.append(Record(artifact=Artifact(name=name, data=encoded(data) or "")))

    async def records(self) -> AsyncIterator[Record]:
        """Yield the head, then tags, contents, passages, marks and artifacts; closes the file at the end."""
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
        yield from self._facts


def _record(stored: Stored) -> Record:
    vector = None if stored.vector is None else encoded(vector_blob(stored.vector))
    item = stored.item
    return Record(
        tag=item if isinstance(item, Tag) else None,
        content=item if isinstance(item, TaggedContent) else None,
        passage=item if isinstance(item, Passage) else None,
        vector=vector,
    )


class ServerTarget:
    """What the importer writes to: one store on a server.

    Args:
        connection: to the server.
        keeper: of the store's state.
        writer: into it.
    """

    def __init__(self, connection: Connection, keeper: Keeper, writer: Writer) -> None:
        self._connection = connection
        self._keeper = keeper
        self._writer = writer

    @on_loop
    async def upsert(
        self, kind: Kind, items: Sequence[Item], progress: Progress | None, vectors: Mapping[str, Vector]
    ) -> Writing:
        """Add or replace objects; vectors that are given are not computed."""
        done = await self._writer.upsert(kind, items, progress, vectors)
        require_all(self._connection, done.refused)
        return done

    @on_loop
    async def adopt_centre(self, centre: Vector) -> bool:
        """Take over the centre when there are no contents yet, so that scores come out as they did."""
        state = await self._keeper.writable()
        if await count(self._connection, state.name(self._keeper.store, Part.CONTENTS)):
            return False
        await self._keeper.set_shape(state.shape.with_centre(centre, state.shape.centre_version + 1))
        return True

    @on_loop
    async def finish_import(self, adopted: bool) -> None:
        """Note the size of what an adopted centre serves; compute a centre where one is due."""
        if adopted:
            state = await self._keeper.writable()
            contents = await count(self._connection, state.name(self._keeper.store, Part.CONTENTS))
            await self._keeper.set_shape(state.shape.model_copy(update={"centred_contents": contents}))
        await self._writer.recentre_when_due()

    @on_loop
    async def set_mark(self, key: str, value: str | None) -> None:
        """Set a mark."""
        if value is not None:
            await self._keeper.facts.set_many({(MARK, key): value})

    @on_loop
    async def set_artifact(self, name: str, data: bytes | None) -> None:
        """Keep an artifact."""
        await self._keeper.facts.set_artifact(name, data)
