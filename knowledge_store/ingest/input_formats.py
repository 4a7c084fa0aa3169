"""Files to read rows from: which formats are accepted, and their lines as bytes."""

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
BROKEN_GZIP = (EOFError, zlib.error, gzip.BadGzipFile)


class Format(StrEnum):
    """How a file is read."""

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


def accepted(text: bool = False) -> str:
    """Return the accepted extensions in words."""
    return ", ".join(ext for ext, form in _FORMATS.items() if text or form is not Format.TEXT) + (
        " (all but .parquet also with .gz)"
    )


def format_of(file: str, text: bool = False) -> Format:
    """Return the format by the file's extension.

    Args:
        file: a path.
        text: whether plain text is accepted, one content a line.

    Raises:
        UsageError: the extension is none of the accepted ones.
    """
    path = Path(file)
    zipped = path.suffix.lower() == GZIP
    suffix = (path.with_suffix("") if zipped else path).suffix.lower()
    form = _FORMATS.get(suffix)
    if form is None or (form is Format.TEXT and not text) or (form is Format.PARQUET and zipped):
        raise UsageError(f"{file}: cannot tell the format by its name; accepted are {accepted(text)}")
    return form


def has_format(file: str) -> bool:
    """Return whether a name ends as that of a file from which contents can be read."""
    try:
        format_of(file, text=True)
    except UsageError:
        return False
    return True


def check_file(file: str) -> None:
    """Make sure that a file can be opened.

    Raises:
        UsageError: it does not exist, is a folder or may not be read.
    """
    if file == STDIN or Path(file).is_fifo():
        # Opening a pipe takes away what it holds.
        return
    try:
        with open(file, "rb"):
            pass
    except OSError as error:
        raise UsageError(f"{file}: {describe_os_error(error)}; check the path") from error


def describe_os_error(error: OSError) -> str:
    """Return what the system says of a failed file, without the number and the path."""
    return (error.strerror or type(error).__name__).lower()


@contextmanager
def open_lines(file: str) -> Iterator[Iterator[bytes]]:
    """Open a file as lines of bytes without the byte order mark."""
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
        raise UsageError(f"{file}: the text is UTF-16; save it as UTF-8")
    return chain([first.removeprefix(codecs.BOM_UTF8)], lines)
