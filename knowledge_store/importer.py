"""Reading an export into a store of any backend."""

import base64
import binascii
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from llm4tag.knowledge_store.items import BATCH, Item, ItemKind, vector_of
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.knowledge_store.records import Record, Writing
from llm4tag.models.embedder import Progress, Vector
from llm4tag.schema import StoreError

_REMEDY = "export the store again"


class ImportTarget(Protocol):
    """The methods that an import needs of a backend, in addition to those of its store."""

    async def upsert(
        self, kind: ItemKind, items: Sequence[Item], progress: Progress | None, vectors: Mapping[str, Vector]
    ) -> Writing:
        """Add or replace objects; a vector that is given is not computed."""

    async def adopt_centre(self, centre: Vector) -> bool:
        """Take over the centre of an export if the store has no contents yet, so that scores stay the same.

        Returns:
            Whether it was taken over.
        """

    async def finish_import(self, adopted: bool) -> None:
        """Record how many contents an adopted centre belongs to; compute a centre if one is due."""


class Importer:
    """Writes exported records into one store.

    Args:
        store: the store; vectors are taken over if they are of its embedding model.
        target: the store's backend.
    """

    def __init__(self, store: KnowledgeStore, target: ImportTarget) -> None:
        self._store = store
        self._target = target
        self._batch: list[Item] = []
        self._kind = ItemKind.TAG
        self._vectors: dict[str, Vector] = {}
        self._total = Writing()

    async def run(self, records: AsyncIterator[Record], progress: Progress | None) -> Writing:
        """Write all records, objects in batches of one kind.

        Raises:
            StoreError: a record is broken; the objects before it may have been written.
        """
        same_model = adopted = False
        number = 0
        async for record in records:
            number += 1
            if record.embedding is not None:
                same_model = record.embedding == self._store.embedding
                if same_model and record.centre is not None:
                    adopted = await self._target.adopt_centre(_decoded_vector(record.centre, number))
                continue
            if record.mark is not None or record.artifact is not None:
                await self._flush(progress)
                await self._save_mark_or_artifact(record, number)
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

    async def _save_mark_or_artifact(self, record: Record, number: int) -> None:
        if record.mark is not None:
            await self._store.set_mark(record.mark.key, record.mark.value)
        if record.artifact is not None:
            data = _decoded(record.artifact.data, "artifact", number)
            await self._store.set_artifact(record.artifact.name, data)

    async def _flush(self, progress: Progress | None) -> None:
        if self._batch:
            self._total += await self._target.upsert(self._kind, self._batch, progress, self._vectors)
        self._batch, self._vectors = [], {}


def encoded(data: bytes | None) -> str | None:
    """Return bytes in the form that an export holds them (base64)."""
    return None if data is None else base64.b64encode(data).decode("ascii")


def _object_of(record: Record, number: int) -> tuple[ItemKind, Item]:
    objects: list[tuple[ItemKind, Item | None]] = [
        (ItemKind.TAG, record.tag),
        (ItemKind.CONTENT, record.content),
        (ItemKind.PASSAGE, record.passage),
    ]
    found = [(kind, item) for kind, item in objects if item is not None]
    if len(found) != 1:
        raise StoreError(f"holds {len(found)} objects instead of one", where=f"record {number}", remedy=_REMEDY)
    return found[0]


def _decoded(text: str, field: str, number: int) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise _broken(field, number, str(error)) from None


def _decoded_vector(text: str, number: int) -> Vector:
    data = _decoded(text, "vector", number)
    try:
        vector = vector_of(data)
    except ValueError as error:
        raise _broken("vector", number, str(error)) from None
    if not np.isfinite(vector).all():
        raise _broken("vector", number, "holds a number that is not finite")
    return vector


def _broken(field: str, number: int, what: str) -> StoreError:
    return StoreError(what, where=f"record {number}: field {field}", remedy=_REMEDY)
