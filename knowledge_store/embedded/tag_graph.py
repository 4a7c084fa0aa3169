"""Questions about who carries which tag, in plain SQL."""

import sqlite3
from collections.abc import Sequence

from llm4tag.knowledge_store.embedded.table_rows import chunks
from llm4tag.knowledge_store.items import Kind
from llm4tag.knowledge_store.protocol import TagCount
from llm4tag.schema import Provenance

_MOST_KEPT = 4096


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
    """Return the ids of contents with any assignment of a provenance."""
    rows = connection.execute(
        "SELECT id FROM contents"
        " WHERE EXISTS (SELECT 1 FROM assignments WHERE content = contents.key AND model = ?)",
        (int(provenance is Provenance.MODEL),),
    )
    return [row[0] for row in rows]


def contents_tagged(
    connection: sqlite3.Connection, tag_id: str, limit: int, provenance: Provenance | None
) -> list[str]:
    """Return the contents that carry a tag, newest assignment first, then by id."""
    which = "" if provenance is None else f" AND model = {int(provenance is Provenance.MODEL)}"
    rows = connection.execute(
        "SELECT id FROM labels JOIN assignments ON label = labels.key JOIN contents ON contents.key = content"
        f" WHERE labels.tag = ?{which} GROUP BY contents.key ORDER BY max(time) DESC, id LIMIT ?",
        (tag_id, limit),
    )
    return [row[0] for row in rows]


def tag_counts(connection: sqlite3.Connection) -> dict[str, TagCount]:
    """Return how often each tag was assigned."""
    rows = connection.execute(
        "SELECT labels.tag, sum(model = 0), sum(model = 1) FROM assignments JOIN labels ON label = labels.key"
        " GROUP BY label ORDER BY labels.tag"
    )
    return {tag: TagCount(human=human, model=model) for tag, human, model in rows}


class Links:
    """Co-occurrences that were asked for, kept as long as no assignment changes."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], list[tuple[str, int]]] = {}

    def of(
        self, connection: sqlite3.Connection, tag_ids: Sequence[str], limit: int
    ) -> dict[str, list[tuple[str, int]]]:
        """Return for each tag its co-occurring tags, most frequent first, then by id."""
        found: dict[str, list[tuple[str, int]]] = {}
        for tag_id in tag_ids:
            key = (tag_id, limit)
            found[tag_id] = self._kept[key] if key in self._kept else _cooccurring(connection, tag_id, limit)
            if len(self._kept) < _MOST_KEPT:
                self._kept[key] = found[tag_id]
        return {tag_id: list(links) for tag_id, links in found.items()}


def _cooccurring(connection: sqlite3.Connection, tag_id: str, limit: int) -> list[tuple[str, int]]:
    """Return the tags that humans gave most often to the contents they gave this tag to, with counts."""
    return connection.execute(
        "SELECT other.tag, count(*) AS times FROM labels JOIN assignments AS own ON own.label = labels.key"
        " JOIN assignments AS theirs ON theirs.content = own.content AND theirs.label != own.label"
        " JOIN labels AS other ON other.key = theirs.label"
        " WHERE labels.tag = ? AND own.model = 0 AND theirs.model = 0"
        " GROUP BY theirs.label ORDER BY times DESC, other.tag LIMIT ?",
        (tag_id, limit),
    ).fetchall()


def tagged_by_humans(connection: sqlite3.Connection) -> int:
    """Count the contents with a human assignment of a tag that may be output."""
    count: int = connection.execute(
        "SELECT count(DISTINCT content) FROM assignments JOIN labels ON label = labels.key"
        " JOIN tags ON tags.id = labels.tag WHERE model = 0 AND NOT is_group AND NOT retired"
    ).fetchone()[0]
    return count


def assignment_totals(connection: sqlite3.Connection) -> TagCount:
    """Count all assignments."""
    human, model = connection.execute(
        "SELECT coalesce(sum(model = 0), 0), coalesce(sum(model = 1), 0) FROM assignments"
    ).fetchone()
    return TagCount(human=human, model=model)


def deleted_since(connection: sqlite3.Connection, kind: Kind, since: int) -> list[str]:
    """Return what was deleted after a transaction and has not come back."""
    rows: Sequence[tuple[str]] = connection.execute(
        "SELECT id FROM deleted WHERE kind = ? AND change > ?", (kind, since)
    ).fetchall()
    return [row[0] for row in rows]
