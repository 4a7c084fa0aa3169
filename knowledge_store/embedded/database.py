"""The SQLite database of a store: its connections, transactions and state."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import quote

from llm4tag.knowledge_store.embedded.store_file import (
    APPLICATION_ID,
    SCHEMA,
    SCHEMA_VERSION,
    check_file,
    has_wal,
    missing_store,
    store_errors,
)
from llm4tag.schema import StoreError, StoreVersionError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FileState:
    """The state of a store's file: which transactions last changed it, its embedding and its centre."""

    change: int
    """The last transaction that changed anything."""
    tags: int
    """The last one that changed tags."""
    assignments: int
    """The last one that changed assignments."""
    vectors: int
    """The last one that replaced all vectors."""
    embedding: str
    """Name of the embedding model, or ``none``."""
    centre: int
    """Version of the mean that content vectors are centred by, 0 for none."""


class Database:
    """Holds two connections to one store file, one that writes and one that reads, each behind a lock.

    Args:
        path: the file; it must be a store, or, if ``create`` is true, it may be absent or empty.
        create: whether to make a new store there, with its parent folders.
        embedding: returns the name of the model that a new store records; called only when one is made.
        busy_seconds: how long to wait for another process's write.

    Raises:
        StoreNotFoundError: there is no store, and ``create`` is false.
        StoreVersionError: the store has another version.
        StoreError: the file is not a store, or SQLite failed.
    """

    def __init__(
        self, path: Path, *, create: bool, embedding: Callable[[], str], busy_seconds: float = 30.0
    ) -> None:
        self.path = path
        self._busy_seconds = busy_seconds
        self._read_lock = threading.RLock()
        self._write_lock = threading.RLock()
        self._closed = False
        self._state: FileState | None = None
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
        # Even to read a WAL file SQLite writes next to it; on a read-only medium nothing can change.
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
        with _in_transaction(self._writer, "IMMEDIATE"):
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
                raise StoreError(
                    "a SQLite database, but not a llm4tag store", where=self.path, remedy="give another path"
                )
            raise missing_store(self.path)
        version = get_text(self._writer, "schema_version")
        if version != SCHEMA_VERSION:
            raise StoreVersionError(
                f"written with store version {version}, this llm4tag reads version {SCHEMA_VERSION}",
                where=self.path,
                remedy="{move_store}",
                store=self.path,
            )

    def _tables(self) -> int:
        count: int = self._writer.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return count

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Yield the reading connection inside one transaction: everything is read as of one moment."""
        with self._read_lock, store_errors(self.path):
            self._refuse_closed()
            with _in_transaction(self._reader, "DEFERRED"):
                yield self._reader

    @contextmanager
    def write(self) -> Iterator["WriteTransaction"]:
        """Yield a transaction that writes; it is rolled back if the block raises."""
        with self._write_lock, store_errors(self.path):
            self._refuse_closed()
            with _in_transaction(self._writer, "IMMEDIATE"):
                change = self._writer.execute("UPDATE state SET change = change + 1 RETURNING change").fetchone()[
                    0
                ]
                yield WriteTransaction(self._writer, change)

    def state(self) -> FileState:
        """Return the state now, including what other processes wrote."""
        with self._read_lock, store_errors(self.path):
            self._refuse_closed()
            version = self._reader.execute("PRAGMA data_version").fetchone()[0]
            if self._state is None or version != self._data_version:
                self._state = read_state(self._reader)
                self._data_version = version
            return self._state

    def snapshot(self) -> sqlite3.Connection:
        """Open a separate connection in a read transaction; the caller closes it."""
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
            raise StoreError("the store was closed", where=self.path, remedy="open it again")


@dataclass(frozen=True, slots=True)
class WriteTransaction:
    """A transaction that writes: its connection and its number."""

    connection: sqlite3.Connection
    change: int

    def touch(self, *, tags: bool = False, assignments: bool = False, vectors: bool = False) -> None:
        """Record which parts of the store this transaction changed."""
        for name, touched in (("tags", tags), ("assignments", assignments), ("vectors", vectors)):
            if touched:
                self.connection.execute(f"UPDATE state SET {name} = ?", (self.change,))

    def set_meta(self, key: str, value: str | bytes | int | None) -> None:
        """Set a value of the meta table."""
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


class CachedValue(Generic[T]):
    """A value that is read from the file and cached until the part of the store that it depends on changes.

    Args:
        database: the file.
        part: returns, from the state, the number of the last transaction that changed that part.
        load: reads the value.
    """

    def __init__(
        self, database: Database, part: Callable[[FileState], int], load: Callable[[sqlite3.Connection], T]
    ) -> None:
        self._database = database
        self._part = part
        self._load = load
        self._cached: tuple[int, T] | None = None

    def get(self) -> T:
        """Return the present value; blocks."""
        cached = self._cached
        if cached is not None and cached[0] == self._part(self._database.state()):
            return cached[1]
        with self._database.read() as connection:
            cached = self._cached = (self._part(read_state(connection)), self._load(connection))
        return cached[1]


@contextmanager
def _in_transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # After some errors (such as a full disk) SQLite has already rolled back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def read_state(connection: sqlite3.Connection) -> FileState:
    """Return the state as a connection's transaction sees it."""
    row = connection.execute("SELECT change, tags, assignments, vectors, embedding, centre FROM state").fetchone()
    return FileState(*row)


def get_text(connection: sqlite3.Connection, key: str) -> str:
    """Return a text of the meta table, empty if there is none."""
    value = _meta(connection, key)
    return value if isinstance(value, str) else ""


def get_number(connection: sqlite3.Connection, key: str) -> int:
    """Return a number of the meta table, 0 if there is none."""
    value = _meta(connection, key)
    return value if isinstance(value, int) else 0


def get_blob(connection: sqlite3.Connection, key: str) -> bytes | None:
    """Return bytes of the meta table, None if there are none."""
    value = _meta(connection, key)
    return value if isinstance(value, bytes) else None


def _meta(connection: sqlite3.Connection, key: str) -> object:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else row[0]
