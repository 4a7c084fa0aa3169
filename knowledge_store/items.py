"""The objects of a store, the same in every backend: their kinds, what is embedded of them, how they merge."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Literal

import numpy as np

from llm4tag.knowledge_store.protocol import Collection
from llm4tag.knowledge_store.records import Writing
from llm4tag.models.embedder import EmbeddingKind, Vector
from llm4tag.schema import Assignment, Passage, Provenance, StoreError, Tag, TaggedContent, Vocabulary

Item = Tag | TaggedContent | Passage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BATCH = 256
"""Number of objects that are written together; a kill can lose at most the last batch."""


class ItemKind(StrEnum):
    """The kinds of objects; every backend stores each kind apart from the others."""

    TAG = "tags"
    CONTENT = "contents"
    PASSAGE = "passages"

    @property
    def embedded_as(self) -> EmbeddingKind:
        """The side of a search for which its texts are embedded."""
        return EmbeddingKind.QUERY if self is ItemKind.TAG else EmbeddingKind.PASSAGE


KIND_OF = {
    Collection.TAGS: ItemKind.TAG,
    Collection.UNITS: ItemKind.TAG,
    Collection.CONTENTS: ItemKind.CONTENT,
    Collection.PASSAGES: ItemKind.PASSAGE,
}


def embedded_text(item: Tag | TaggedContent | Passage) -> str:
    """Return the text of an object to embed: a tag's name, or title and text; a blank one is not embedded."""
    return item.name if isinstance(item, Tag) else item.full_text


def vector_blob(vector: Vector) -> bytes:
    """Return a vector as bytes of little-endian float32."""
    return vector.astype("<f4").tobytes()


def vector_of(blob: bytes) -> Vector:
    """Return the vector that bytes of little-endian float32 hold."""
    return np.frombuffer(blob, dtype="<f4").astype(np.float32)


def microseconds(time: datetime) -> int:
    """Return a time as whole microseconds since 1970 in UTC."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def time_of(count: int) -> datetime:
    """Return the time that is a number of microseconds after the beginning of 1970 in UTC."""
    return _EPOCH + timedelta(microseconds=count)


def common_length(vectors: Mapping[str, Vector | None], dimensions: int) -> int:
    """Return the length that all vectors of a store have.

    Args:
        vectors: new vectors by the ids of their objects.
        dimensions: length of the stored ones, 0 if there are none.

    Raises:
        StoreError: a new vector has another length than the stored ones, or than the first new one.
    """
    for object_id, vector in vectors.items():
        if vector is None:
            continue
        dimensions = dimensions or len(vector)
        if vector.shape != (dimensions,):
            raise StoreError(
                f"the vector of {object_id!r} has shape {vector.shape}, those in the store have {dimensions} "
                "dimensions: the embedding model has changed",
                remedy="{embed_store}",
            )
    return dimensions


def no_content(content_id: str) -> StoreError:
    """Return the error for an assignment to a content that does not exist."""
    return StoreError(f"no content with id {content_id!r} in the store", remedy="{ingest_history}")


def unit_id(tag_id: str, number: int) -> str:
    """Return the id of a tag's name (number 0) or of one of its aliases (from 1)."""
    return f"{tag_id}#{number}"


def unit_kind(unit: str) -> Literal["name", "alias"]:
    """Return whether a unit is a tag's name or one of its aliases."""
    return "name" if unit.rpartition("#")[2] == "0" else "alias"


def vocabulary_counts(vocabulary: Vocabulary) -> dict[str, int]:
    """Return how many tags, groups, retired tags and units there are, as ``StoreStatistics`` names them."""
    tags = list(vocabulary.values())
    return {
        "tags": len(vocabulary.assignable),
        "groups": sum(tag.group and not tag.retired for tag in tags),
        "retired": sum(tag.retired for tag in tags),
        "units": sum(1 + len(tag.aliases) for tag in tags if tag.assignable),
    }


def with_assignments(content: TaggedContent, assignments: Iterable[Assignment]) -> TaggedContent:
    """Return the content with these assignments in their order: human ones first, then by tag id."""
    ordered = sorted(assignments, key=lambda item: (item.provenance is Provenance.MODEL, item.tag))
    return content.model_copy(update={"assignments": tuple(ordered)})


def merged(old: TaggedContent | None, new: TaggedContent) -> TaggedContent:
    """Return the content that the store holds after ``new`` was upserted over ``old``.

    Assignments of ``new`` replace the old ones of the same provenance. If no time was given for a new assignment,
    and it is otherwise equal to the old one, it gets the old one's time: reading a file twice changes nothing.
    """
    before = {(item.tag, item.provenance): item for item in (old.assignments if old else ())}
    after = {
        (item.tag, item.provenance): _with_old_time(before.get((item.tag, item.provenance)), item)
        for item in new.assignments
    }
    given = {item.provenance for item in new.assignments}
    after.update({key: item for key, item in before.items() if key[1] not in given})
    return with_assignments(new, after.values())


def _with_old_time(old: Assignment | None, new: Assignment) -> Assignment:
    same = old is not None and old.confidence == new.confidence and "time" not in new.model_fields_set
    return old if same and old is not None else new


def batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Cut objects into batches without repeated ids; two objects with the same id are written in their order."""
    batch: dict[str, Item] = {}
    for item in items:
        if len(batch) == BATCH or item.id in batch:
            yield list(batch.values())
            batch = {}
        batch[item.id] = item
    if batch:
        yield list(batch.values())


@dataclass(slots=True)
class BatchPlan:
    """What has to be written and embedded for one batch, compared with what the store holds."""

    writing: Writing = field(default_factory=Writing)
    items: list[Item] = field(default_factory=list)
    """Items to be written whole."""
    vectors: dict[str, Vector | None] = field(default_factory=dict)
    """New vectors by id; the vector of an item without an entry stays, None removes it."""
    unembedded: list[Item] = field(default_factory=list)
    """Items that have to be embedded before anything is written."""


def plan_batch(
    batch: Sequence[Item], before: Mapping[str, Item], vectors: Mapping[str, Vector | None], *, embeds: bool
) -> BatchPlan:
    """Compare a batch with the stored objects.

    Args:
        batch: the objects that the store is to hold, without repeated ids.
        before: the stored objects with these ids.
        vectors: vectors that are already known, by id.
        embeds: whether the store has embeddings.
    """
    plan = BatchPlan()
    added = changed = 0
    for item in batch:
        old = before.get(item.id)
        new: Item = item
        if isinstance(item, TaggedContent):
            new = merged(old if isinstance(old, TaggedContent) else None, item)
        if new == old:
            continue
        if old is None or embedded_text(old) != embedded_text(new):
            if not embeds:
                plan.vectors[new.id] = None
            elif new.id in vectors:
                plan.vectors[new.id] = vectors[new.id]
            else:
                plan.unembedded.append(new)
        plan.items.append(new)
        added, changed = added + (old is None), changed + (old is not None)
    plan.writing = Writing(added=added, changed=changed, unchanged=len(batch) - added - changed)
    return plan
