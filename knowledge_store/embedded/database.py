"""The SQLite file: its schema, connections, transactions and errors."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import quote

from llm4tag.knowledge_store.embedded.file_errors import store_errors
from llm4tag.knowledge_store.embedded.file_format import (
    APPLICATION_ID,
    SCHEMA,
    SCHEMA_VERSION,
    check_file,
    has_wal,
    missing,
)
from llm4tag.schema import StoreError, StoreNotFoundError, StoreVersionError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class State:
    """Where the store stands: the last transactions that touched anything, tags, assignments, all vectors.

    ``centre`` is the version of the mean that content vectors are centred by, 0 for none.
    """

    change: int
    tags: int
    assignments: int
    vectors: int
    embedding: str
    centre: int


class Database:
    """Connections to one store file: one that writes, one that reads, each behind a lock.

    Args:
        path: the file; it must be a store, or absent or empty when ``create`` is true.
        create: whether to make a new store there, with its parent folders.
        embedding: gives the model's name that a new store records; asked only when one is made.
        busy_seconds: how long to wait for another process's write.
    """

    def __init__(
        self, path: Path, *, create: bool, embedding: Callable[[], str], busy_seconds: float = 30.0
    ) -> None:
        self.path = path
        self._busy_seconds = busy_seconds
        self._read_lock = threading.RLock()
        self._write_lock = threading.RLock()
        self._closed = False
        self._state: State | None = None
        self._data_version = -1
        self._immutable = False
        with store_errors(path):
            check_file(path, create=create)
            if create:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect(create=create)
            try:
                if create:
                    self._create(embedding)
                self._check_version()
                self._reader = self._connect()
            except BaseException:
                self._writer.close()
                raise

    def _connect(self, *, create: bool = False) -> sqlite3.Connection:
        mode = "rwc" if create else "rw" if os.access(self.path, os.W_OK) else "ro"
        # SQLite needs to write beside a WAL file even to read it; on a read-only medium nothing changes.
        self._immutable = mode == "ro" and not os.access(self.path.parent, os.W_OK) and not has_wal(self.path)
        suffix = "&immutable=1" if self._immutable else ""
        connection = sqlite3.connect(
            f"file:{quote(str(self.path.absolute()))}?mode={mode}{suffix}",
            uri=True,
            timeout=self._busy_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -16000")
        return connection

    def _create(self, embedding: Callable[[], str]) -> None:
        """Make the tables, unless another process has just done so."""
        if self._tables():
            return
        name = embedding()
        self._writer.execute("PRAGMA journal_mode = WAL")
        with _transaction(self._writer, "IMMEDIATE"):
            if self._tables():
                return
            for statement in SCHEMA.split(";\n"):
                if statement.strip():
                    self._writer.execute(statement)
            self._writer.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._writer.execute("INSERT INTO meta VALUES ('schema_version', ?)", (SCHEMA_VERSION,))
            self._writer.execute("INSERT INTO state VALUES (1, 0, 0, 0, 0, ?, 0)", (name,))

    def _check_version(self) -> None:
        application = self._writer.execute("PRAGMA application_id").fetchone()[0]
        if application != APPLICATION_ID:
            if self._tables():
                raise StoreError(f"{self.path}: a SQLite database, but not a llm4tag store; give another path")
            raise StoreNotFoundError(missing(self.path))
        version = get_text(self._writer, "schema_version")
        if version != SCHEMA_VERSION:
            raise StoreVersionError(
                f"{self.path}: written with store version {version}, this llm4tag reads version {SCHEMA_VERSION}; "
                f"use the llm4tag that wrote it, or `llm4tag store export` there and `import` here"
            )

    def _tables(self) -> int:
        count: int = self._writer.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return count

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Give the reading connection, inside one transaction: all that is read belongs together."""
        with self._read_lock, store_errors(self.path):
            self._refuse_closed()
            with _transaction(self._reader, "DEFERRED"):
                yield self._reader

    @contextmanager
    def write(self) -> Iterator["Writer"]:
        """Give a writer: all of its work is one transaction, or nothing of it when the block raises."""
        with self._write_lock, store_errors(self.path):
            self._refuse_closed()
            with _transaction(self._writer, "IMMEDIATE"):
                change = self._writer.execute("UPDATE state SET change = change + 1 RETURNING change").fetchone()[
                    0
                ]
                yield Writer(self._writer, change)

    def state(self) -> State:
        """Return where the store stands now, other processes' writes included."""
        with self._read_lock, store_errors(self.path):
            self._refuse_closed()
            version = self._reader.execute("PRAGMA data_version").fetchone()[0]
            if self._state is None or version != self._data_version:
                self._state = read_state(self._reader)
                self._data_version = version
            return self._state

    def snapshot(self) -> sqlite3.Connection:
        """Open a connection of its own in a read transaction; the caller closes it."""
        with store_errors(self.path):
            self._refuse_closed()
            connection = self._connect()
            connection.execute("BEGIN")
            connection.execute("SELECT change FROM state").fetchone()
            return connection

    def close(self) -> None:
        """Close both connections; idempotent."""
        with self._write_lock, self._read_lock:
            if not self._closed:
                self._closed = True
                self._reader.close()
                self._writer.close()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StoreError(f"{self.path}: the store was closed; open it again")


@dataclass(frozen=True, slots=True)
class Writer:
    """The writing connection inside a transaction, and the transaction's number."""

    connection: sqlite3.Connection
    change: int

    def touch(self, *, tags: bool = False, assignments: bool = False, vectors: bool = False) -> None:
        """Note which parts this transaction changed."""
        for name, touched in (("tags", tags), ("assignments", assignments), ("vectors", vectors)):
            if touched:
                self.connection.execute(f"UPDATE state SET {name} = ?", (self.change,))

    def set_meta(self, key: str, value: str | bytes | int | None) -> None:
        """Set a value of the meta table."""
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


class Followed(Generic[T]):
    """A value read from the file, kept until what it rests on changes.

    Args:
        database: the file.
        part: picks, out of the state, the number of the last transaction that changed what it rests on.
        load: reads it.
    """

    def __init__(
        self, database: Database, part: Callable[[State], int], load: Callable[[sqlite3.Connection], T]
    ) -> None:
        self._database = database
        self._part = part
        self._load = load
        self._kept: tuple[int, T] | None = None

    def get(self) -> T:
        """Return the value as it stands now; blocks."""
        kept = self._kept
        if kept is not None and kept[0] == self._part(self._database.state()):
            return kept[1]
        with self._database.read() as connection:
            kept = self._kept = (self._part(read_state(connection)), self._load(connection))
        return kept[1]


@contextmanager
def _transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some errors (a full disk, say).
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def read_state(connection: sqlite3.Connection) -> State:
    """Return where the store stands in the transaction of a connection."""
    row = connection.execute("SELECT change, tags, assignments, vectors, embedding, centre FROM state").fetchone()
    return State(*row)


def get_text(connection: sqlite3.Connection, key: str) -> str:
    """Return a text of the meta table, empty where there is none."""
    value = _meta(connection, key)
    return value if isinstance(value, str) else ""


def get_number(connection: sqlite3.Connection, key: str) -> int:
    """Return a number of the meta table, 0 where there is none."""
    value = _meta(connection, key)
    return value if isinstance(value, int) else 0


def get_blob(connection: sqlite3.Connection, key: str) -> bytes | None:
    """Return bytes of the meta table, None where there are none."""
    value = _meta(connection, key)
    return value if isinstance(value, bytes) else None


def _meta(connection: sqlite3.Connection, key: str) -> object:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else row[0]
