"""Between the shared types and the server's objects."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from weaviate.classes.data import DataObject

from llm4tag.knowledge_store.hybrid_fusion import object_uuid
from llm4tag.knowledge_store.items import Item, unit_id, unit_kind
from llm4tag.knowledge_store.protocol import Collection
from llm4tag.knowledge_store.weaviate.layout import RAW, SEARCH, WORDS, Part
from llm4tag.knowledge_store.word_tokens import segmented
from llm4tag.models.embedder import Vector
from llm4tag.schema import Assignment, Passage, Provenance, Tag, TaggedContent

Properties = Mapping[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ID_SPACE = {
    Part.VOCABULARY: "vocabulary",
    Part.TAGS: Collection.TAGS,
    Part.UNITS: Collection.UNITS,
    Part.CONTENTS: Collection.CONTENTS,
    Part.PASSAGES: Collection.PASSAGES,
}
TRUTH = {Tag: Part.VOCABULARY, TaggedContent: Part.CONTENTS, Passage: Part.PASSAGES}


def uuid_of(part: Part, object_id: str) -> str:
    """Return the UUID of an object: the same in every generation, and in every backend."""
    return object_uuid(ID_SPACE[part], object_id)


class Orders:
    """Numbers that keep the order in which objects were added: microseconds, each one later than the last."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """Return the next number."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return self._last


def _revision() -> str:
    return uuid.uuid4().hex[:12]


def _words(**texts: str) -> dict[str, str]:
    # An empty property counts as a document without it, as in the embedded backend.
    return {WORDS + name: words for name, text in texts.items() if (words := segmented(text))}


def centred(vector: Vector, centre: Vector | None) -> Vector:
    """Return the vector that a content is searched by; the server normalises it."""
    if centre is None:
        return vector
    moved: Vector = vector - centre
    return moved if float(np.linalg.norm(moved)) > 0.0 else vector


def truth_object(item: Item, order: int, vector: Vector | None, centre: Vector | None) -> DataObject[Any, Any]:
    """Return the object that holds an item whole; contents and passages are searched by it too."""
    if isinstance(item, Tag):
        fields: dict[str, Any] = {"tag": item.model_dump_json()}
        vectors = {} if vector is None else {RAW: vector}
    elif isinstance(item, Passage):
        words = _words(title=item.title, text=item.text)
        fields = {"title": item.title, "text": item.text, "source": item.source, **words}
        vectors = {} if vector is None else {RAW: vector, SEARCH: vector}
    else:
        fields = _content_fields(item)
        vectors = {} if vector is None else {RAW: vector, SEARCH: centred(vector, centre)}
    return DataObject(
        properties={"key": item.id, "order": order, "revision": _revision(), **fields},
        uuid=uuid_of(TRUTH[type(item)], item.id),
        vector={name: value.tolist() for name, value in vectors.items()},
    )


def _content_fields(content: TaggedContent) -> dict[str, Any]:
    by = {
        provenance: [item.tag for item in content.assignments if item.provenance is provenance]
        for provenance in Provenance
    }
    return {
        "title": content.title,
        "text": content.text,
        "assignments": _packed(content.assignments),
        "human_tags": by[Provenance.HUMAN],
        "model_tags": by[Provenance.MODEL],
        "tagged_by": [provenance.value for provenance, tags in by.items() if tags],
        **_words(title=content.title, text=content.text),
    }


def search_objects(tag: Tag, vector: Vector | None) -> tuple[DataObject[Any, Any], list[DataObject[Any, Any]]]:
    """Return what an assignable tag is searched by: the tag's object, and one for each of its units."""
    words = _words(name=tag.name, aliases="\n".join(tag.aliases), description=tag.description)
    whole = DataObject(
        properties={"key": tag.id, **words},
        uuid=uuid_of(Part.TAGS, tag.id),
        vector={} if vector is None else {SEARCH: vector.tolist()},
    )
    units = []
    for number, text in enumerate((tag.name, *tag.aliases)):
        unit = unit_id(tag.id, number)
        fields = {"key": unit, "tag": tag.id, "text": text, "kind": unit_kind(unit), **_words(text=text)}
        units.append(DataObject(properties=fields, uuid=uuid_of(Part.UNITS, unit)))
    return whole, units


def item_of(part: Part, properties: Properties) -> Item:
    """Return the item that a truth object holds."""
    if part is Part.VOCABULARY:
        return Tag.model_validate_json(properties["tag"])
    if part is Part.PASSAGES:
        return Passage(
            id=properties["key"], title=properties["title"], text=properties["text"], source=properties["source"]
        )
    return TaggedContent(
        id=properties["key"],
        title=properties["title"],
        text=properties["text"],
        assignments=unpacked(properties["assignments"]),
    )


TRUTH_PROPERTIES: dict[Part, list[str]] = {
    Part.VOCABULARY: ["key", "order", "revision", "tag"],
    Part.CONTENTS: ["key", "order", "revision", "title", "text", "assignments"],
    Part.PASSAGES: ["key", "order", "revision", "title", "text", "source"],
}


def _packed(assignments: Sequence[Assignment]) -> str:
    rows = [
        [item.tag, item.provenance.value, item.confidence, (item.time - _EPOCH) // timedelta(microseconds=1)]
        for item in assignments
    ]
    return json.dumps(rows, ensure_ascii=False)


def unpacked(text: str) -> tuple[Assignment, ...]:
    """Return the assignments of a content's object: human ones first, then by tag id."""
    return tuple(
        Assignment(
            tag=tag,
            provenance=Provenance(provenance),
            confidence=confidence,
            time=_EPOCH + timedelta(microseconds=time_),
        )
        for tag, provenance, confidence, time_ in json.loads(text)
    )


def raw_vector(vectors: Mapping[str, Any]) -> Vector | None:
    """Return the vector as the embedder gave it, or None."""
    found = vectors.get(RAW)
    return None if not found else np.asarray(found, dtype=np.float32)
