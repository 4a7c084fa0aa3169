"""The files from which rows are read: the accepted formats, and lines as bytes."""

import codecs
import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import IO

from llm4tag.schema import UsageError

STDIN = "-"
"""The name of standard input."""
BROKEN_GZIP = (EOFError, zlib.error, gzip.BadGzipFile)
"""The errors that reading a broken gzip file raises."""


class Format(StrEnum):
    """The formats of files that hold rows."""

    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"
    PARQUET = "parquet"
    TEXT = "txt"


_FORMATS = {
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".csv": Format.CSV,
    ".tsv": Format.TSV,
    ".parquet": Format.PARQUET,
    ".txt": Format.TEXT,
}
GZIP = ".gz"
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def accepted_endings(text: bool = False) -> str:
    """Return the file name endings of the accepted formats, in words."""
    return ", ".join(ext for ext, form in _FORMATS.items() if text or form is not Format.TEXT) + (
        " (all but .parquet also with .gz)"
    )


def unknown_format(file: str, accepted: str) -> UsageError:
    """Return the error for a file whose name does not end as any of the accepted formats."""
    return UsageError("cannot tell the format by its name", where=file, remedy=f"accepted are {accepted}")


def format_of(file: str, text: bool = False) -> Format:
    """Return the format of a file by the ending of its name.

    Args:
        file: the path.
        text: whether plain text is accepted, with one content per line.

    Raises:
        UsageError: the ending is none of the accepted ones.
    """
    form = _known_format(file, text)
    if form is None:
        raise unknown_format(file, accepted_endings(text))
    return form


def has_format(file: str, text: bool = True) -> bool:
    """Return whether a name ends as that of a file from which rows can be read."""
    return _known_format(file, text) is not None


def _known_format(file: str, text: bool) -> Format | None:
    path = Path(file)
    zipped = path.suffix.lower() == GZIP
    form = _FORMATS.get((path.with_suffix("") if zipped else path).suffix.lower())
    if (form is Format.TEXT and not text) or (form is Format.PARQUET and zipped):
        return None
    return form


def check_file(file: str) -> None:
    """Make sure that a file can be opened.

    Raises:
        UsageError: the file does not exist, is a folder or may not be read.
    """
    if file == STDIN or Path(file).is_fifo():
        # To open a pipe would take away its contents.
        return
    try:
        with open(file, "rb"):
            pass
    except OSError as error:
        raise UsageError(describe_os_error(error), where=file, remedy="check the path") from error


def describe_os_error(error: OSError) -> str:
    """Return the system's message about a file, without the number and the path."""
    return (error.strerror or type(error).__name__).lower()


@contextmanager
def open_lines(file: str) -> Iterator[Iterator[bytes]]:
    """Open a file, or stdin, as lines of bytes without the byte order mark."""
    if file == STDIN:
        yield _without_mark(file, sys.stdin.buffer)
        return
    stream: IO[bytes]
    with gzip.open(file) if file.lower().endswith(GZIP) else open(file, "rb") as stream:  # type: ignore[assignment]
        yield _without_mark(file, stream)


def _without_mark(file: str, stream: Iterable[bytes]) -> Iterator[bytes]:
    lines = iter(stream)
    first = next(lines, b"")
    if first.startswith(_UTF16_MARKS):
        raise UsageError("the text is UTF-16", where=file, remedy="save it as UTF-8")
    return chain([first.removeprefix(codecs.BOM_UTF8)], lines)
