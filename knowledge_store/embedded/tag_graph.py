"""Which contents carry which tags, and the numbers of a store's objects, in plain SQL."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from llm4tag.knowledge_store.embedded.database import read_state
from llm4tag.knowledge_store.embedded.table_rows import chunks
from llm4tag.knowledge_store.items import ItemKind, vocabulary_counts
from llm4tag.knowledge_store.protocol import StoreStatistics, TagCount
from llm4tag.schema import Provenance, Vocabulary

_MOST_CACHED = 4096


def contents_with_any(connection: sqlite3.Connection, tags: frozenset[str]) -> list[str]:
    """Return the ids of contents that carry any of the tags."""
    return [
        row[0]
        for places, chunk in chunks(sorted(tags))
        for row in connection.execute(
            "SELECT DISTINCT id FROM labels JOIN assignments ON label = labels.key"
            f" JOIN contents ON contents.key = content WHERE labels.tag IN ({places})",
            chunk,
        )
    ]


def contents_tagged_by(connection: sqlite3.Connection, provenance: Provenance) -> list[str]:
    """Return the ids of contents that have an assignment of a provenance."""
    rows = connection.execute(
        "SELECT id FROM contents"
        " WHERE EXISTS (SELECT 1 FROM assignments WHERE content = contents.key AND model = ?)",
        (int(provenance is Provenance.MODEL),),
    )
    return [row[0] for row in rows]


def contents_tagged(
    connection: sqlite3.Connection, tag_id: str, limit: int, provenance: Provenance | None
) -> list[str]:
    """Return the ids of contents that carry a tag, those with the newest assignment first, then by id."""
    which = "" if provenance is None else f" AND model = {int(provenance is Provenance.MODEL)}"
    rows = connection.execute(
        "SELECT id FROM labels JOIN assignments ON label = labels.key JOIN contents ON contents.key = content"
        f" WHERE labels.tag = ?{which} GROUP BY contents.key ORDER BY max(time) DESC, id LIMIT ?",
        (tag_id, limit),
    )
    return [row[0] for row in rows]


def tag_counts(connection: sqlite3.Connection) -> dict[str, TagCount]:
    """Return how often each tag was assigned, by humans and by models."""
    rows = connection.execute(
        "SELECT labels.tag, sum(model = 0), sum(model = 1) FROM assignments JOIN labels ON label = labels.key"
        " GROUP BY label ORDER BY labels.tag"
    )
    return {tag: TagCount(human=human, model=model) for tag, human, model in rows}


class CooccurrenceCache:
    """Caches which tags occur together; a new one is made when any assignment changes."""

    def __init__(self) -> None:
        self._cached: dict[tuple[str, int], list[tuple[str, int]]] = {}

    def read(
        self, connection: sqlite3.Connection, tag_ids: Sequence[str], limit: int
    ) -> dict[str, list[tuple[str, int]]]:
        """Return for each tag the tags that occur with it, the most frequent first, then by id."""
        found: dict[str, list[tuple[str, int]]] = {}
        for tag_id in tag_ids:
            key = (tag_id, limit)
            found[tag_id] = self._cached[key] if key in self._cached else _cooccurring(connection, tag_id, limit)
            if len(self._cached) < _MOST_CACHED:
                self._cached[key] = found[tag_id]
        return {tag_id: list(others) for tag_id, others in found.items()}


def _cooccurring(connection: sqlite3.Connection, tag_id: str, limit: int) -> list[tuple[str, int]]:
    """Return the tags that humans most often assigned together with this one, with counts."""
    return connection.execute(
        "SELECT other.tag, count(*) AS times FROM labels JOIN assignments AS own ON own.label = labels.key"
        " JOIN assignments AS theirs ON theirs.content = own.content AND theirs.label != own.label"
        " JOIN labels AS other ON other.key = theirs.label"
        " WHERE labels.tag = ? AND own.model = 0 AND theirs.model = 0"
        " GROUP BY theirs.label ORDER BY times DESC, other.tag LIMIT ?",
        (tag_id, limit),
    ).fetchall()


def statistics(connection: sqlite3.Connection, path: Path, vocabulary: Vocabulary) -> StoreStatistics:
    """Count the objects of the store in a file.

    Args:
        connection: to the file, in a transaction.
        path: the file.
        vocabulary: the store's.
    """
    state = read_state(connection)
    files = (path, path.with_name(path.name + "-wal"))
    human, model = connection.execute(
        "SELECT coalesce(sum(model = 0), 0), coalesce(sum(model = 1), 0) FROM assignments"
    ).fetchone()
    return StoreStatistics(
        location=str(path),
        engine=f"SQLite {sqlite3.sqlite_version}",
        embedding=state.embedding,
        vocabulary=vocabulary.version,
        contents=_count(connection, "contents"),
        tagged_contents=_tagged_contents(connection),
        assignments=TagCount(human=human, model=model),
        passages=_count(connection, "passages"),
        centre=state.centre,
        bytes=sum(file.stat().st_size for file in files if file.exists()),
        **vocabulary_counts(vocabulary),
    )


def _tagged_contents(connection: sqlite3.Connection) -> int:
    """Count the contents with a human assignment of a tag that may be output."""
    count: int = connection.execute(
        "SELECT count(DISTINCT content) FROM assignments JOIN labels ON label = labels.key"
        " JOIN tags ON tags.id = labels.tag WHERE model = 0 AND NOT is_group AND NOT retired"
    ).fetchone()[0]
    return count


def _count(connection: sqlite3.Connection, table: str) -> int:
    count: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return count


def deleted_since(connection: sqlite3.Connection, kind: ItemKind, since: int) -> list[str]:
    """Return the ids of objects that were deleted after a transaction and were not added again."""
    rows: Sequence[tuple[str]] = connection.execute(
        "SELECT id FROM deleted WHERE kind = ? AND change > ?", (kind, since)
    ).fetchall()
    return [row[0] for row in rows]
