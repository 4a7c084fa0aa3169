"""Writing objects, marks and artifacts into a store's file, each in a transaction that the caller began."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from llm4tag.knowledge_store.embedded.database import WriteTransaction
from llm4tag.knowledge_store.embedded.table_rows import (
    chunks,
    contents_of,
    passages_of,
    tag_row,
    tags_of,
)
from llm4tag.knowledge_store.items import Item, ItemKind, microseconds, no_content, vector_blob
from llm4tag.models.embedder import Vector
from llm4tag.schema import Assignment, Passage, Provenance, Tag, TaggedContent


def stored(connection: sqlite3.Connection, kind: ItemKind, ids: Sequence[str]) -> Mapping[str, Item]:
    """Return the objects that exist, by id."""
    if kind is ItemKind.TAG:
        return tags_of(connection, ids)
    return contents_of(connection, ids) if kind is ItemKind.CONTENT else passages_of(connection, ids)


def put(
    transaction: WriteTransaction, kind: ItemKind, items: Iterable[Item], vectors: Mapping[str, Vector | None]
) -> None:
    """Write objects whole; the vector of one without an entry in ``vectors`` stays, None removes it."""
    for item in items:
        if isinstance(item, Tag):
            columns, values = "name, description, aliases, parents, is_group, retired", tag_row(item)
        elif isinstance(item, Passage):
            columns, values = "title, text, source", (item.id, item.title, item.text, item.source)
        else:
            columns, values = "title, text", (item.id, item.title, item.text)
        row = [*values, transaction.change]
        columns += ", change"
        if item.id in vectors:
            vector = vectors[item.id]
            columns, row = columns + ", vector", [*row, None if vector is None else vector_blob(vector)]
        names = columns.split(", ")
        updates = ", ".join(f"{name} = excluded.{name}" for name in names)
        key = transaction.connection.execute(
            f"INSERT INTO {kind} (id, {columns}) VALUES ({', '.join('?' * len(row))})"
            f" ON CONFLICT (id) DO UPDATE SET {updates} RETURNING key",
            row,
        ).fetchone()[0]
        transaction.connection.execute("DELETE FROM deleted WHERE kind = ? AND id = ?", (kind, item.id))
        if isinstance(item, TaggedContent):
            transaction.connection.execute("DELETE FROM assignments WHERE content = ?", (key,))
            put_assignments(transaction, key, item.assignments)
    transaction.touch(tags=kind is ItemKind.TAG, assignments=kind is ItemKind.CONTENT)


def put_assignments(transaction: WriteTransaction, content_key: int, assignments: Iterable[Assignment]) -> None:
    """Add assignments to a content, in place of those of the same tag and provenance."""
    for item in assignments:
        transaction.connection.execute("INSERT OR IGNORE INTO labels (tag) VALUES (?)", (item.tag,))
        transaction.connection.execute(
            "INSERT OR REPLACE INTO assignments SELECT ?, key, ?, ?, ? FROM labels WHERE tag = ?",
            (
                content_key,
                int(item.provenance is Provenance.MODEL),
                item.confidence,
                microseconds(item.time),
                item.tag,
            ),
        )


def assign(transaction: WriteTransaction, content_id: str, assignments: Sequence[Assignment]) -> None:
    """Add assignments to a content.

    Raises:
        StoreError: the content does not exist.
    """
    row = transaction.connection.execute("SELECT key FROM contents WHERE id = ?", (content_id,)).fetchone()
    if row is None:
        raise no_content(content_id)
    put_assignments(transaction, row[0], assignments)
    transaction.touch(assignments=True)


def retire(transaction: WriteTransaction, ids: Sequence[str]) -> int:
    """Mark tags as retired; return how many were not retired before."""
    changed = 0
    for places, chunk in chunks(ids):
        changed += transaction.connection.execute(
            f"UPDATE tags SET retired = 1, change = ? WHERE retired = 0 AND id IN ({places})",
            [transaction.change, *chunk],
        ).rowcount
    transaction.touch(tags=True)
    return changed


def delete(transaction: WriteTransaction, kind: ItemKind, ids: Sequence[str]) -> int:
    """Delete objects with their assignments; return how many existed."""
    count = 0
    for places, chunk in chunks(list(dict.fromkeys(ids))):
        if kind is ItemKind.CONTENT:
            transaction.connection.execute(
                f"DELETE FROM assignments WHERE content IN (SELECT key FROM contents WHERE id IN ({places}))",
                chunk,
            )
        elif kind is ItemKind.TAG:
            transaction.connection.execute(
                f"DELETE FROM assignments WHERE label IN (SELECT key FROM labels WHERE tag IN ({places}))", chunk
            )
        gone = transaction.connection.execute(
            f"DELETE FROM {kind} WHERE id IN ({places}) RETURNING id", chunk
        ).fetchall()
        transaction.connection.executemany(
            "INSERT OR REPLACE INTO deleted VALUES (?, ?, ?)", [(kind, row[0], transaction.change) for row in gone]
        )
        count += len(gone)
    transaction.touch(tags=kind is ItemKind.TAG, assignments=kind is not ItemKind.PASSAGE)
    return count


def set_mark(transaction: WriteTransaction, key: str, value: str | None) -> None:
    """Save a mark; None removes it."""
    if value is None:
        transaction.connection.execute("DELETE FROM marks WHERE key = ?", (key,))
    else:
        transaction.connection.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (key, value))


def set_artifact(transaction: WriteTransaction, name: str, data: bytes | None) -> None:
    """Save an artifact; None removes it."""
    if data is None:
        transaction.connection.execute("DELETE FROM artifacts WHERE name = ?", (name,))
    else:
        transaction.connection.execute("INSERT OR REPLACE INTO artifacts VALUES (?, ?)", (name, data))
