"""Writes: each function does its work inside the transaction it is given."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from knowledge_store.embedded.database import Writer
from knowledge_store.embedded.rows import (
    Kind,
    chunks,
    contents_of,
    microseconds,
    passages_of,
    tag_row,
    tags_of,
    vector_blob,
)
from models.embedding import Vector
from schema import Assignment, Passage, Provenance, StoreError, Tag, TaggedContent

Item = Tag | TaggedContent | Passage


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
    ordered = sorted(after.values(), key=lambda item: (item.provenance is Provenance.MODEL, item.tag))
    return TaggedContent(id=new.id, title=new.title, text=new.text, assignments=tuple(ordered))


def _with_old_time(old: Assignment | None, new: Assignment) -> Assignment:
    same = old is not None and old.confidence == new.confidence and "time" not in new.model_fields_set
    return old if same and old is not None else new


def stored(connection: sqlite3.Connection, kind: Kind, ids: Sequence[str]) -> Mapping[str, Item]:
    """Return the objects that are there."""
    if kind is Kind.TAG:
        return tags_of(connection, ids)
    return contents_of(connection, ids) if kind is Kind.CONTENT else passages_of(connection, ids)


def put(writer: Writer, kind: Kind, items: Iterable[Item], vectors: Mapping[str, Vector | None]) -> None:
    """Write objects whole; one without an entry in ``vectors`` keeps the vector it has, None takes it away."""
    for item in items:
        if isinstance(item, Tag):
            columns, values = "name, description, aliases, parents, is_group, retired", tag_row(item)
        elif isinstance(item, Passage):
            columns, values = "title, text, source", (item.id, item.title, item.text, item.source)
        else:
            columns, values = "title, text", (item.id, item.title, item.text)
        row = [*values, writer.change]
        columns += ", change"
        if item.id in vectors:
            vector = vectors[item.id]
            columns, row = columns + ", vector", [*row, None if vector is None else vector_blob(vector)]
        names = columns.split(", ")
        updates = ", ".join(f"{name} = excluded.{name}" for name in names)
        key = writer.connection.execute(
            f"INSERT INTO {kind} (id, {columns}) VALUES ({', '.join('?' * len(row))})"
            f" ON CONFLICT (id) DO UPDATE SET {updates} RETURNING key",
            row,
        ).fetchone()[0]
        writer.connection.execute("DELETE FROM deleted WHERE kind = ? AND id = ?", (kind, item.id))
        if isinstance(item, TaggedContent):
            writer.connection.execute("DELETE FROM assignments WHERE content = ?", (key,))
            put_assignments(writer, key, item.assignments)
    writer.touch(tags=kind is Kind.TAG, assignments=kind is Kind.CONTENT)


def put_assignments(writer: Writer, content_key: int, assignments: Iterable[Assignment]) -> None:
    """Add assignments to a content, in place of those by the same provenance for the same tag."""
    for item in assignments:
        writer.connection.execute("INSERT OR IGNORE INTO labels (tag) VALUES (?)", (item.tag,))
        writer.connection.execute(
            "INSERT OR REPLACE INTO assignments SELECT ?, key, ?, ?, ? FROM labels WHERE tag = ?",
            (
                content_key,
                int(item.provenance is Provenance.MODEL),
                item.confidence,
                microseconds(item.time),
                item.tag,
            ),
        )


def assign(writer: Writer, content_id: str, assignments: Sequence[Assignment]) -> None:
    """Add assignments to a content that exists."""
    row = writer.connection.execute("SELECT key FROM contents WHERE id = ?", (content_id,)).fetchone()
    if row is None:
        raise StoreError(
            f"no content with id {content_id!r} in the store; add it first (`llm4tag ingest history`)"
        )
    put_assignments(writer, row[0], assignments)
    writer.touch(assignments=True)


def retire(writer: Writer, ids: Sequence[str]) -> int:
    """Mark tags as retired; return how many were not yet."""
    changed = 0
    for places, chunk in chunks(ids):
        changed += writer.connection.execute(
            f"UPDATE tags SET retired = 1, change = ? WHERE retired = 0 AND id IN ({places})",
            [writer.change, *chunk],
        ).rowcount
    writer.touch(tags=True)
    return changed


def delete(writer: Writer, kind: Kind, ids: Sequence[str]) -> int:
    """Delete objects with their assignments; return how many were there."""
    count = 0
    for places, chunk in chunks(list(dict.fromkeys(ids))):
        if kind is Kind.CONTENT:
            writer.connection.execute(
                f"DELETE FROM assignments WHERE content IN (SELECT key FROM contents WHERE id IN ({places}))",
                chunk,
            )
        elif kind is Kind.TAG:
            writer.connection.execute(
                f"DELETE FROM assignments WHERE label IN (SELECT key FROM labels WHERE tag IN ({places}))", chunk
            )
        gone = writer.connection.execute(
            f"DELETE FROM {kind} WHERE id IN ({places}) RETURNING id", chunk
        ).fetchall()
        writer.connection.executemany(
            "INSERT OR REPLACE INTO deleted VALUES (?, ?, ?)", [(kind, row[0], writer.change) for row in gone]
        )
        count += len(gone)
    writer.touch(tags=kind is Kind.TAG, assignments=kind is not Kind.PASSAGE)
    return count


def set_mark(writer: Writer, key: str, value: str | None) -> None:
    """Set a mark, or remove it with None."""
    if value is None:
        writer.connection.execute("DELETE FROM marks WHERE key = ?", (key,))
    else:
        writer.connection.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (key, value))
