"""What a store holds, the same for every backend: kinds of objects, what is embedded of them, how they merge."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from llm4tag.knowledge_store.protocol import Collection, Writing
from llm4tag.models.embedder import EmbeddingKind, Vector
from llm4tag.schema import Assignment, Passage, Provenance, StoreError, Tag, TaggedContent

Item = Tag | TaggedContent | Passage

BATCH = 256
"""Objects that are written together: what a kill can cost."""


class Kind(StrEnum):
    """What is stored; every backend keeps each apart."""

    TAG = "tags"
    CONTENT = "contents"
    PASSAGE = "passages"

    @property
    def embedded_as(self) -> EmbeddingKind:
        """The side of a search that its texts stand on."""
        return EmbeddingKind.QUERY if self is Kind.TAG else EmbeddingKind.PASSAGE


KIND_OF = {
    Collection.TAGS: Kind.TAG,
    Collection.UNITS: Kind.TAG,
    Collection.CONTENTS: Kind.CONTENT,
    Collection.PASSAGES: Kind.PASSAGE,
}


def embedded_text(item: Tag | TaggedContent | Passage) -> str:
    """Return what is embedded of an object: a tag's name, title and text of the others; blank for nothing."""
    return item.name if isinstance(item, Tag) else item.full_text


def vector_blob(vector: Vector) -> bytes:
    """Return a vector as little-endian float32."""
    return vector.astype("<f4").tobytes()


def vector_of(blob: bytes) -> Vector:
    """Return the vector in a blob."""
    return np.frombuffer(blob, dtype="<f4").astype(np.float32)


def check_length(object_id: str, vector: Vector, dimensions: int) -> None:
    """Refuse a vector of another length than those stored."""
    if vector.shape != (dimensions,):
        raise StoreError(
            f"vector of {object_id!r} has shape {vector.shape}, those in the store have {dimensions} dimensions; "
            "the embedding model has changed: embed anew with `llm4tag store embed`"
        )


def unit_id(tag_id: str, number: int) -> str:
    """Return the id of a tag's name (number 0) or of one of its aliases (from 1)."""
    return f"{tag_id}#{number}"


def unit_kind(unit: str) -> str:
    """Return whether a unit is a name or an alias."""
    return "name" if unit.rpartition("#")[2] == "0" else "alias"


def with_assignments(content: TaggedContent, assignments: Iterable[Assignment]) -> TaggedContent:
    """Return the content with these assignments, human ones first, then by tag id."""
    ordered = sorted(assignments, key=lambda item: (item.provenance is Provenance.MODEL, item.tag))
    return content.model_copy(update={"assignments": tuple(ordered)})


def merged(old: TaggedContent | None, new: TaggedContent) -> TaggedContent:
    """Return what the store holds once ``new`` is upserted over ``old``.

    Assignments of the provenances that ``new`` has replace the old ones. A new assignment for which no time
    was given keeps the old one's time when it says the same, so that reading a file twice changes nothing.
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
    """Cut into batches that hold no id twice; of two objects with one id the later is written later."""
    batch: dict[str, Item] = {}
    for item in items:
        if len(batch) == BATCH or item.id in batch:
            yield list(batch.values())
            batch = {}
        batch[item.id] = item
    if batch:
        yield list(batch.values())


@dataclass(slots=True)
class Plan:
    """What a batch means for the store as it stands."""

    writing: Writing = field(default_factory=Writing)
    items: list[Item] = field(default_factory=list)
    """To be written whole."""
    vectors: dict[str, Vector | None] = field(default_factory=dict)
    """By id; an item without an entry keeps the vector it has, None takes it away."""
    unembedded: list[Item] = field(default_factory=list)
    """Items that need a vector before anything is written."""


def plan_batch(
    batch: Sequence[Item], before: Mapping[str, Item], vectors: Mapping[str, Vector | None], *, embeds: bool
) -> Plan:
    """Compare a batch with what is stored.

    Args:
        batch: what is to be there; no id twice.
        before: what is stored under these ids.
        vectors: those that are known already.
        embeds: whether the store has embeddings.
    """
    plan = Plan()
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
