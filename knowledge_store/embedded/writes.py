"""Writes: each function does its work inside the transaction it is given."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from llm4tag.knowledge_store.embedded.database import Writer
from llm4tag.knowledge_store.embedded.table_rows import (
    chunks,
    contents_of,
    microseconds,
    passages_of,
    tag_row,
    tags_of,
)
from llm4tag.knowledge_store.items import Item, Kind, vector_blob
from llm4tag.models.embedder import Vector
from llm4tag.schema import Assignment, Passage, Provenance, StoreError, Tag, TaggedContent


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


def set_artifact(writer: Writer, name: str, data: bytes | None) -> None:
    """Keep an artifact, or remove it with None."""
    if data is None:
        writer.connection.execute("DELETE FROM artifacts WHERE name = ?", (name,))
    else:
        writer.connection.execute("INSERT OR REPLACE INTO artifacts VALUES (?, ?)", (name, data))
