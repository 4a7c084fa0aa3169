"""Failures of SQLite and the file system, told so that the user knows what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llm4tag.schema import StoreError

_MENDS = {
    "SQLITE_FULL": "the disk is full: free some space and run the same command again, it resumes",
    "SQLITE_READONLY": "the file or its folder cannot be written: mend its permissions or copy the store",
    "SQLITE_PERM": "the file may not be opened: mend its permissions",
    "SQLITE_CANTOPEN": "the file cannot be opened: check that the path and its permissions are right",
    "SQLITE_BUSY": "another process keeps the store locked: wait for it to end, then run the same command again",
    "SQLITE_LOCKED": "another process keeps the store locked: wait for it to end, then run the same command again",
    "SQLITE_NOTADB": "the file is not a llm4tag store: give the path of one, or of a new file",
    "SQLITE_CORRUPT": "the file is damaged: restore it from a copy, or ingest into a new store",
    "SQLITE_IOERR": "the disk failed: check it, then run the same command again",
    "SQLITE_TOOBIG": "a value is larger than SQLite takes: split the text",
}


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and the file system into StoreError, with the mend."""
    try:
        yield
    except sqlite3.Error as error:
        name: str = getattr(error, "sqlite_errorname", "")
        mend = next((text for code, text in _MENDS.items() if name.startswith(code)), "please report this")
        raise StoreError(f"{path}: {error} ({name or type(error).__name__}); {mend}") from error
    except OSError as error:
        raise StoreError(
            f"{path}: {error.strerror or error}; check the path, its permissions and the disk"
        ) from error
