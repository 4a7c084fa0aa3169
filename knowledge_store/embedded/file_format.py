"""What a store's file looks like: its tables, its version, and how to tell it from other files."""

from pathlib import Path

from llm4tag.schema import StoreError, StoreNotFoundError

SCHEMA_VERSION = "2"
APPLICATION_ID = 0x4C345447
"""In the file's header: "L4TG"."""
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


def missing(path: Path) -> str:
    """Return what to say where there is no store."""
    return f"no store at {path}; make one with `llm4tag ingest vocabulary FILE --store {path}`"


def has_wal(path: Path) -> bool:
    """Return whether there are transactions beside the file that are not yet in it."""
    wal = path.with_name(path.name + "-wal")
    return wal.exists() and wal.stat().st_size > 0


def check_file(path: Path, *, create: bool) -> None:
    """Refuse a path that cannot be a store, before SQLite touches it.

    Raises:
        StoreNotFoundError: nothing there, and nothing is to be created.
        StoreError: a folder, or another kind of file.
    """
    if path.is_dir():
        raise StoreError(f"{path}: a folder; give the path of a file in it, such as {path / 'tags.llm4tag'}")
    if not path.exists():
        if not create:
            raise StoreNotFoundError(missing(path))
        return
    with path.open("rb") as file:
        start = file.read(len(_HEADER))
    if start and start != _HEADER:
        raise StoreError(f"{path}: not a llm4tag store (no SQLite file); give another path")
    if not start and not create and not has_wal(path):
        raise StoreNotFoundError(missing(path))
