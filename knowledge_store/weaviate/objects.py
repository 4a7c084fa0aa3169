"""Turning tags, contents and passages into the server's objects, and reading them from these."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from weaviate.classes.data import DataObject

from llm4tag.knowledge_store.hybrid_fusion import object_uuid
from llm4tag.knowledge_store.items import Item, microseconds, time_of, unit_id, unit_kind
from llm4tag.knowledge_store.protocol import Collection
from llm4tag.knowledge_store.weaviate.layout import RAW, SEARCH, WORDS, StorePart
from llm4tag.knowledge_store.word_tokens import segmented
from llm4tag.models.embedder import Vector
from llm4tag.schema import Assignment, Passage, Provenance, Tag, TaggedContent

Properties = Mapping[str, Any]


ID_SPACE = {
    StorePart.VOCABULARY: "vocabulary",
    StorePart.TAGS: Collection.TAGS,
    StorePart.UNITS: Collection.UNITS,
    StorePart.CONTENTS: Collection.CONTENTS,
    StorePart.PASSAGES: Collection.PASSAGES,
}
_WHOLE_PART = {Tag: StorePart.VOCABULARY, TaggedContent: StorePart.CONTENTS, Passage: StorePart.PASSAGES}


def uuid_of(part: StorePart, object_id: str) -> str:
    """Return the UUID of an object; it is the same in every generation and in every backend."""
    return object_uuid(ID_SPACE[part], object_id)


class OrderNumbers:
    """Numbers for the order in which objects are added: the time in microseconds, each greater than the last."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """Return the next number."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return self._last


def _revision() -> str:
    return uuid.uuid4().hex[:12]


def _words(**texts: str) -> dict[str, str]:
    # An object without words in a property does not have that property, as in the embedded backend.
    return {WORDS + name: words for name, text in texts.items() if (words := segmented(text))}


def search_vector(vector: Vector, centre: Vector | None) -> Vector:
    """Return the vector by which a content is searched: centred, while the server normalises it."""
    if centre is None:
        return vector
    moved: Vector = vector - centre
    return moved if float(np.linalg.norm(moved)) > 0.0 else vector


def whole_object(item: Item, order: int, vector: Vector | None, centre: Vector | None) -> DataObject[Any, Any]:
    """Return the object that holds a whole item; contents and passages are also searched by it."""
    if isinstance(item, Tag):
        fields: dict[str, Any] = {"tag": item.model_dump_json()}
        vectors = {} if vector is None else {RAW: vector}
    elif isinstance(item, Passage):
        words = _words(title=item.title, text=item.text)
        fields = {"title": item.title, "text": item.text, "source": item.source, **words}
        vectors = {} if vector is None else {RAW: vector, SEARCH: vector}
    else:
        fields = _content_fields(item)
        vectors = {} if vector is None else {RAW: vector, SEARCH: search_vector(vector, centre)}
    return DataObject(
        properties={"key": item.id, "order": order, "revision": _revision(), **fields},
        uuid=uuid_of(_WHOLE_PART[type(item)], item.id),
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
    """Return the objects by which an assignable tag is searched: the tag's own, and one for each unit."""
    words = _words(name=tag.name, aliases="\n".join(tag.aliases), description=tag.description)
    whole = DataObject(
        properties={"key": tag.id, **words},
        uuid=uuid_of(StorePart.TAGS, tag.id),
        vector={} if vector is None else {SEARCH: vector.tolist()},
    )
    units = []
    for number, text in enumerate((tag.name, *tag.aliases)):
        unit = unit_id(tag.id, number)
        fields = {"key": unit, "tag": tag.id, "text": text, "kind": unit_kind(unit), **_words(text=text)}
        units.append(DataObject(properties=fields, uuid=uuid_of(StorePart.UNITS, unit)))
    return whole, units


def item_of(part: StorePart, properties: Properties) -> Item:
    """Return the item that a whole object holds."""
    if part is StorePart.VOCABULARY:
        return Tag.model_validate_json(properties["tag"])
    if part is StorePart.PASSAGES:
        return Passage(
            id=properties["key"], title=properties["title"], text=properties["text"], source=properties["source"]
        )
    return TaggedContent(
        id=properties["key"],
        title=properties["title"],
        text=properties["text"],
        assignments=unpacked(properties["assignments"]),
    )


WHOLE_PROPERTIES: dict[StorePart, list[str]] = {
    StorePart.VOCABULARY: ["key", "order", "revision", "tag"],
    StorePart.CONTENTS: ["key", "order", "revision", "title", "text", "assignments"],
    StorePart.PASSAGES: ["key", "order", "revision", "title", "text", "source"],
}


def _packed(assignments: Sequence[Assignment]) -> str:
    rows = [[item.tag, item.provenance.value, item.confidence, microseconds(item.time)] for item in assignments]
    return json.dumps(rows, ensure_ascii=False)


def unpacked(text: str) -> tuple[Assignment, ...]:
    """Return the assignments that a content's object holds: human ones first, then by tag id."""
    return tuple(
        Assignment(
            tag=tag,
            provenance=Provenance(provenance),
            confidence=confidence,
            time=time_of(count),
        )
        for tag, provenance, confidence, count in json.loads(text)
    )


def raw_vector(vectors: Mapping[str, Any]) -> Vector | None:
    """Return the raw vector of an object, or None if it has none."""
    found = vectors.get(RAW)
    return None if not found else np.asarray(found, dtype=np.float32)
