"""Reading an export into a store of any backend."""

import base64
import binascii
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from llm4tag.knowledge_store.items import BATCH, Item, Kind, vector_of
from llm4tag.knowledge_store.protocol import Writing
from llm4tag.knowledge_store.records import Record
from llm4tag.models.embedder import Progress, Vector
from llm4tag.schema import StoreError


class ImportTarget(Protocol):
    """What a backend offers to the importer."""

    async def upsert(
        self, kind: Kind, items: Sequence[Item], progress: Progress | None, vectors: Mapping[str, Vector]
    ) -> Writing:
        """Add or replace objects; vectors that are given are not computed."""

    async def adopt_centre(self, centre: Vector) -> bool:
        """Take over the centre if there are no contents yet, so that scores come out as they did."""

    async def finish_import(self, adopted: bool) -> None:
        """Note the size of what an adopted centre serves; compute a centre where one is due."""

    async def set_mark(self, key: str, value: str | None) -> None:
        """Set a mark."""

    async def set_artifact(self, name: str, data: bytes | None) -> None:
        """Keep an artifact."""


class Importer:
    """Writes exported records into one store.

    Args:
        target: the store.
        embedding: name of its model; vectors of the same one are taken over.
    """

    def __init__(self, target: ImportTarget, embedding: str) -> None:
        self._target = target
        self._embedding = embedding
        self._batch: list[Item] = []
        self._kind = Kind.TAG
        self._vectors: dict[str, Vector] = {}
        self._total = Writing()

    async def run(self, records: AsyncIterator[Record], progress: Progress | None) -> Writing:
        """Write all records, objects in batches of one kind."""
        same_model = adopted = False
        number = 0
        async for record in records:
            number += 1
            if record.embedding is not None:
                same_model = record.embedding == self._embedding
                if same_model and record.centre is not None:
                    adopted = await self._target.adopt_centre(_decoded_vector(record.centre, number))
                continue
            if record.mark is not None or record.artifact is not None:
                await self._flush(progress)
                await self._keep_fact(record, number)
                continue
            kind, item = _object_of(record, number)
            if kind is not self._kind or len(self._batch) == BATCH:
                await self._flush(progress)
                self._kind = kind
            self._batch.append(item)
            if same_model and record.vector is not None:
                self._vectors[item.id] = _decoded_vector(record.vector, number)
        await self._flush(progress)
        await self._target.finish_import(adopted)
        return self._total

    async def _keep_fact(self, record: Record, number: int) -> None:
        if record.mark is not None:
            await self._target.set_mark(record.mark.key, record.mark.value)
        if record.artifact is not None:
            data = _decoded(record.artifact.data, "artifact", number)
            await self._target.set_artifact(record.artifact.name, data)

    async def _flush(self, progress: Progress | None) -> None:
        if self._batch:
            self._total += await self._target.upsert(self._kind, self._batch, progress, self._vectors)
        self._batch, self._vectors = [], {}


def encoded(data: bytes | None) -> str | None:
    """Return bytes as an export holds them."""
    return None if data is None else base64.b64encode(data).decode("ascii")


def _object_of(record: Record, number: int) -> tuple[Kind, Item]:
    objects: list[tuple[Kind, Item | None]] = [
        (Kind.TAG, record.tag),
        (Kind.CONTENT, record.content),
        (Kind.PASSAGE, record.passage),
    ]
    found = [(kind, item) for kind, item in objects if item is not None]
    if len(found) != 1:
        raise StoreError(f"record {number}: holds {len(found)} objects instead of one; export the store again")
    return found[0]


def _decoded(text: str, field: str, number: int) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise StoreError(f"record {number}: field {field}: {error}; export the store again") from None


def _decoded_vector(text: str, number: int) -> Vector:
    try:
        vector = vector_of(_decoded(text, "vector", number))
    except ValueError as error:
        raise StoreError(f"record {number}: field vector: {error}; export the store again") from None
    if not np.isfinite(vector).all():
        raise StoreError(
            f"record {number}: field vector: holds a number that is not finite; export the store again"
        )
    return vector
