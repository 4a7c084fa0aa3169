"""The store's file: its tables and version, how it differs from other files, and what its failures mean."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llm4tag.schema import StoreError, StoreNotFoundError

SCHEMA_VERSION = "2"
APPLICATION_ID = 0x4C345447
"""SQLite's application id in the file's header: "L4TG"."""
_HEADER = b"SQLite format 3\0"

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE marks (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE artifacts (name TEXT PRIMARY KEY, data BLOB NOT NULL);
-- Numbers of the last transaction that touched anything, tags, assignments, and all vectors at once (another
-- embedding model); the embedding's name; the version of the centre of content vectors.
CREATE TABLE state (
    only INTEGER PRIMARY KEY CHECK (only = 1), change INTEGER NOT NULL, tags INTEGER NOT NULL,
    assignments INTEGER NOT NULL, vectors INTEGER NOT NULL, embedding TEXT NOT NULL, centre INTEGER NOT NULL
);
CREATE TABLE tags (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, description TEXT NOT NULL,
    aliases TEXT NOT NULL, parents TEXT NOT NULL, is_group INTEGER NOT NULL, retired INTEGER NOT NULL,
    vector BLOB, change INTEGER NOT NULL
);
CREATE TABLE contents (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, title TEXT NOT NULL, text TEXT NOT NULL,
    vector BLOB, change INTEGER NOT NULL
);
CREATE TABLE passages (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, title TEXT NOT NULL, text TEXT NOT NULL,
    source TEXT NOT NULL, vector BLOB, change INTEGER NOT NULL
);
-- Assignments may name tags that the vocabulary lacks, so tag ids have numbers of their own.
CREATE TABLE labels (key INTEGER PRIMARY KEY, tag TEXT NOT NULL UNIQUE);
CREATE TABLE assignments (
    content INTEGER NOT NULL, label INTEGER NOT NULL, model INTEGER NOT NULL, confidence REAL NOT NULL,
    time INTEGER NOT NULL, PRIMARY KEY (content, label, model)
) WITHOUT ROWID;
-- What was deleted, so that other processes can follow.
CREATE TABLE deleted (
    kind TEXT NOT NULL, id TEXT NOT NULL, change INTEGER NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX tags_change ON tags (change);
CREATE INDEX contents_change ON contents (change);
CREATE INDEX passages_change ON passages (change);
CREATE INDEX passages_source ON passages (source);
CREATE INDEX deleted_change ON deleted (kind, change);
CREATE INDEX assignments_label ON assignments (label, model, time, content);
"""


_REMEDIES = {
    "SQLITE_FULL": "the disk is full: free some space and run the same command again, it resumes",
    "SQLITE_READONLY": "the file or its folder cannot be written: correct its permissions, or copy the store",
    "SQLITE_PERM": "the file may not be opened: correct its permissions",
    "SQLITE_CANTOPEN": "the file cannot be opened: check that the path and its permissions are right",
    "SQLITE_BUSY": "another process has locked the store: wait for it to end, then run the same command again",
    "SQLITE_LOCKED": "another process has locked the store: wait for it to end, then run the same command again",
    "SQLITE_NOTADB": "the file is not a llm4tag store: give the path of one, or of a new file",
    "SQLITE_CORRUPT": "the file is damaged: restore it from a copy, or ingest into a new store",
    "SQLITE_IOERR": "the disk failed: check it, then run the same command again",
    "SQLITE_TOOBIG": "a value is larger than SQLite accepts: split the text",
}
"""What to do about an error of SQLite, by the beginning of its name."""


def missing_store(path: Path) -> StoreNotFoundError:
    """Return the error for a path at which there is no store."""
    return StoreNotFoundError(f"no store at {path}", remedy="{ingest_vocabulary}", store=path)


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the file system into StoreError, with the remedy."""
    try:
        yield
    except sqlite3.Error as error:
        name: str = getattr(error, "sqlite_errorname", "")
        remedy = next((text for code, text in _REMEDIES.items() if name.startswith(code)), "please report this")
        raise StoreError(f"{error} ({name or type(error).__name__})", where=path, remedy=remedy) from error
    except OSError as error:
        raise StoreError(
            error.strerror or str(error), where=path, remedy="check the path, its permissions and the disk"
        ) from error


def has_wal(path: Path) -> bool:
    """Return whether the write-ahead log next to the file has transactions that are not yet in the file."""
    wal = path.with_name(path.name + "-wal")
    return wal.exists() and wal.stat().st_size > 0


def check_file(path: Path, *, create: bool) -> None:
    """Refuse a path that cannot be a store, before SQLite touches it.

    Args:
        path: the file.
        create: whether a store may be made there.

    Raises:
        StoreNotFoundError: there is nothing, and ``create`` is false.
        StoreError: the path is a folder, or another kind of file.
    """
    if path.is_dir():
        raise StoreError(
            "a folder", where=path, remedy=f"give the path of a file in it, such as {path / 'tags.llm4tag'}"
        )
    if not path.exists():
        if not create:
            raise missing_store(path)
        return
    with path.open("rb") as file:
        start = file.read(len(_HEADER))
    if start and start != _HEADER:
        raise StoreError("not a llm4tag store (no SQLite file)", where=path, remedy="give another path")
    if not start and not create and not has_wal(path):
        raise missing_store(path)
