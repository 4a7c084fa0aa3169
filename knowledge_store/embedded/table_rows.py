"""Reading the rows of a store's file as tags, contents and passages, and turning these into rows."""

import json
import sqlite3
from collections.abc import Iterator, Sequence

from llm4tag.knowledge_store.embedded.index import IndexEntry
from llm4tag.knowledge_store.items import KIND_OF, ItemKind, time_of, unit_id
from llm4tag.knowledge_store.protocol import Collection
from llm4tag.schema import Assignment, Passage, Provenance, Tag, TaggedContent

_PLACES = 500
CONTENT_COLUMNS = "id, title, text"
PASSAGE_COLUMNS = "id, title, text, source"
TAG_COLUMNS = "id, name, description, aliases, parents, is_group, retired"


def chunks(ids: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Cut ids into chunks that fit one statement; yield the placeholders and the chunk."""
    for at in range(0, len(ids), _PLACES):
        chunk = list(ids[at : at + _PLACES])
        yield ",".join("?" * len(chunk)), chunk


def tag_row(tag: Tag) -> tuple[object, ...]:
    """Return the row of a tag: the values of TAG_COLUMNS."""
    lists = (json.dumps(values, ensure_ascii=False) for values in (tag.aliases, tag.parents))
    return (tag.id, tag.name, tag.description, *lists, int(tag.group), int(tag.retired))


def tag_of(row: Sequence[object]) -> Tag:
    """Return the tag of a row with the values of TAG_COLUMNS."""
    tag_id, name, description, aliases, parents, group, retired = row
    return Tag(
        id=str(tag_id),
        name=str(name),
        description=str(description),
        aliases=tuple(json.loads(str(aliases))),
        parents=tuple(json.loads(str(parents))),
        group=bool(group),
        retired=bool(retired),
    )


def passage_of(row: Sequence[str]) -> Passage:
    """Return the passage of a row with the values of PASSAGE_COLUMNS."""
    passage_id, title, text, source = row
    return Passage(id=passage_id, title=title, text=text, source=source)


def assignments_of(connection: sqlite3.Connection, content_ids: Sequence[str]) -> dict[str, list[Assignment]]:
    """Return the assignments of each content: human ones first, then by tag id."""
    found: dict[str, list[Assignment]] = {}
    for places, chunk in chunks(content_ids):
        rows = connection.execute(
            "SELECT contents.id, labels.tag, model, confidence, time FROM contents"
            " JOIN assignments ON content = contents.key JOIN labels ON label = labels.key"
            f" WHERE contents.id IN ({places}) ORDER BY model, labels.tag",
            chunk,
        )
        for content_id, tag, model, confidence, time in rows:
            found.setdefault(content_id, []).append(
                Assignment(
                    tag=tag,
                    provenance=Provenance.MODEL if model else Provenance.HUMAN,
                    confidence=confidence,
                    time=time_of(time),
                )
            )
    return found


def contents_of(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, TaggedContent]:
    """Return the contents that exist, with their assignments, by id."""
    assignments = assignments_of(connection, ids)
    return {
        content_id: TaggedContent(
            id=content_id, title=title, text=text, assignments=tuple(assignments.get(content_id, ()))
        )
        for places, chunk in chunks(ids)
        for content_id, title, text in connection.execute(
            f"SELECT {CONTENT_COLUMNS} FROM contents WHERE id IN ({places})", chunk
        )
    }


def tags_of(connection: sqlite3.Connection, ids: Sequence[str] | None = None) -> dict[str, Tag]:
    """Return the tags that exist, by id; without ``ids`` all of them, in the order in which they were added."""
    if ids is None:
        rows = connection.execute(f"SELECT {TAG_COLUMNS} FROM tags ORDER BY key").fetchall()
    else:
        rows = [
            row
            for places, chunk in chunks(ids)
            for row in connection.execute(f"SELECT {TAG_COLUMNS} FROM tags WHERE id IN ({places})", chunk)
        ]
    return {row[0]: tag_of(row) for row in rows}


def passages_of(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, Passage]:
    """Return the passages that exist, by id."""
    return {
        row[0]: passage_of(row)
        for places, chunk in chunks(ids)
        for row in connection.execute(f"SELECT {PASSAGE_COLUMNS} FROM passages WHERE id IN ({places})", chunk)
    }


def passage_ids(connection: sqlite3.Connection, source: str) -> list[str]:
    """Return the ids of a source's passages, in the order in which they were added."""
    return [
        row[0] for row in connection.execute("SELECT id FROM passages WHERE source = ? ORDER BY key", (source,))
    ]


def mark_of(connection: sqlite3.Connection, key: str) -> str | None:
    """Return a mark, or None if there is none."""
    row: tuple[str] | None = connection.execute("SELECT value FROM marks WHERE key = ?", (key,)).fetchone()
    return None if row is None else row[0]


def artifact_of(connection: sqlite3.Connection, name: str) -> bytes | None:
    """Return an artifact, or None if there is none."""
    row: tuple[bytes] | None = connection.execute("SELECT data FROM artifacts WHERE name = ?", (name,)).fetchone()
    return None if row is None else row[0]


def changed_entries(
    connection: sqlite3.Connection, collection: Collection, since: int
) -> Iterator[tuple[str, list[IndexEntry]]]:
    """Yield the ids of objects that changed after a transaction (-1: of all), with their entries in an index."""
    # With ORDER BY key alone, SQLite would scan the whole table for one change.
    which = "ORDER BY key" if since < 0 else f"WHERE change > {since} ORDER BY change, key"
    if KIND_OF[collection] is not ItemKind.TAG:
        rows = connection.execute(f"SELECT id, title, text, vector FROM {KIND_OF[collection]} {which}")
        for object_id, title, text, vector in rows:
            yield object_id, [IndexEntry(object_id, object_id, (title, text), vector)]
        return
    rows = connection.execute(f"SELECT {TAG_COLUMNS}, vector FROM tags {which}")
    for *columns, vector in rows:
        tag = tag_of(columns)
        if not tag.assignable:
            yield tag.id, []
        elif collection is Collection.TAGS:
            texts = (tag.name, "\n".join(tag.aliases), tag.description)
            yield tag.id, [IndexEntry(tag.id, tag.id, texts, vector)]
        else:
            yield (
                tag.id,
                [
                    IndexEntry(unit_id(tag.id, number), tag.id, (text,))
                    for number, text in enumerate((tag.name, *tag.aliases))
                ],
            )
