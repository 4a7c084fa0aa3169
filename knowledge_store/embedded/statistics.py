"""What is in a store."""

import sqlite3
from pathlib import Path

from llm4tag.knowledge_store.embedded import tag_graph as graph
from llm4tag.knowledge_store.embedded.database import read_state
from llm4tag.knowledge_store.protocol import StoreStatistics
from llm4tag.schema import Vocabulary


def count_all(connection: sqlite3.Connection, path: Path, vocabulary: Vocabulary) -> StoreStatistics:
    """Count everything."""
    state = read_state(connection)
    tags = list(vocabulary.values())
    files = (path, path.with_name(path.name + "-wal"))
    return StoreStatistics(
        location=str(path),
        engine=f"SQLite {sqlite3.sqlite_version}",
        embedding=state.embedding,
        vocabulary=vocabulary.version,
        tags=len(vocabulary.assignable),
        groups=sum(tag.group and not tag.retired for tag in tags),
        retired=sum(tag.retired for tag in tags),
        units=sum(1 + len(tag.aliases) for tag in tags if tag.assignable),
        contents=_count(connection, "contents"),
        tagged_contents=graph.tagged_by_humans(connection),
        assignments=graph.assignment_totals(connection),
        passages=_count(connection, "passages"),
        centre=state.centre,
        bytes=sum(file.stat().st_size for file in files if file.exists()),
    )


def _count(connection: sqlite3.Connection, table: str) -> int:
    count: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return count
