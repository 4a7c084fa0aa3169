"""Reading the rows of JSONL, CSV, Parquet and plain text files as a stream.

Every row is yielded as a ``Row``, or as the ``RowProblem`` that says why it could not be read.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from llm4tag.knowledge_store.ingest.input_formats import (
    BROKEN_GZIP,
    GZIP,
    STDIN,
    Format,
    check_file,
    format_of,
    open_lines,
)
from llm4tag.knowledge_store.ingest.row import Row, RowProblem, Rows, bad_utf8
from llm4tag.knowledge_store.ingest.tables import CsvReader, check_header, csv_rows, open_parquet, parquet_rows
from llm4tag.schema import UsageError


def check_rows(files: Iterable[str], required: Collection[str], *, text: bool = False) -> None:
    """Make sure, before anything is written, that files can be opened and tables have the required columns.

    Args:
        files: paths, or ``-``.
        required: columns without which no row of a CSV or Parquet file is usable; ``a|b`` means one of the two.
        text: whether plain text is accepted.

    Raises:
        UsageError: a file cannot be read, has another format, or lacks a column.
    """
    for file in files:
        if file == STDIN:
            continue
        check_file(file)
        form = format_of(file, text)
        if form is Format.PARQUET:
            check_header(file, list(open_parquet(file).schema_arrow.names), required)
        elif form in (Format.CSV, Format.TSV):
            try:
                with open_lines(file) as lines:
                    header = next(CsvReader(lines, form).cells, [])
            except BROKEN_GZIP as error:
                raise UsageError(f"not a gzip file ({error})", where=file, remedy="compress it again") from error
            check_header(file, header, required)


def read_rows(file: str, *, text: bool = False, lists: Collection[str] = ()) -> Rows:
    """Read one file, or stdin (``-``: JSONL when the first line begins with ``{``, else plain text).

    Args:
        file: the path; the ending of its name gives the format.
        text: whether plain text is accepted: each line becomes ``{"text": line}``.
        lists: columns of CSV and Parquet files whose text is a list separated by ``|``.

    Yields:
        The rows in their order, and a problem for each that cannot be read. Blank lines are skipped.

    Raises:
        UsageError: the file cannot be opened or does not have an accepted format.
    """
    check_file(file)
    form = None if file == STDIN else format_of(file, text)
    if form is Format.PARQUET:
        yield from parquet_rows(file, lists)
        return
    line = 0
    try:
        with open_lines(file) as lines:
            for item in _text_rows(file, lines, form, text, lists):
                line = item.line or line
                yield item
    except BROKEN_GZIP as error:
        yield RowProblem(
            file=file,
            line=line + 1,
            field="",
            problem=f"the compressed file is broken from here on ({error})",
            remedy="compress it again",
        )


def count_rows(files: Iterable[str]) -> int | None:
    """Return about how many rows files have, for a progress bar; None if that is unknown or takes too long."""
    total = 0
    for file in files:
        try:
            if file == STDIN or file.endswith(GZIP) or not Path(file).is_file():
                return None
            if format_of(file, text=True) is Format.PARQUET:
                total += int(open_parquet(file).metadata.num_rows)
                continue
            with open(file, "rb") as stream:
                total += sum(block.count(b"\n") for block in iter(lambda: stream.read(2**20), b""))
        except (OSError, UsageError):
            return None
    return total


def _text_rows(file: str, lines: Iterator[bytes], form: Format | None, text: bool, lists: Collection[str]) -> Rows:
    if form is None:
        head: list[bytes] = []
        for raw in lines:
            head.append(raw)
            if raw.strip():
                break
        looks_json = bool(head) and head[-1].lstrip().startswith(b"{")
        form = Format.JSONL if looks_json or not text else Format.TEXT
        lines = chain(head, lines)
    if form is Format.JSONL:
        return _decoded_rows(file, lines, _json_object)
    if form is Format.TEXT:
        return _decoded_rows(file, lines, lambda line: {"text": line})
    return csv_rows(file, lines, form, lists)


def _decoded_rows(file: str, lines: Iterator[bytes], parse: Callable[[str], dict[str, Any]]) -> Rows:
    for number, raw in enumerate(lines, 1):
        raw = raw.rstrip(b"\r\n")
        if not raw.strip():
            continue
        try:
            line = raw.decode()
        except UnicodeDecodeError as error:
            yield bad_utf8(file, number, error.start + 1, raw.decode(errors="backslashreplace"))
            continue
        try:
            data = parse(line)
        except (ValueError, RecursionError) as error:
            problem, remedy = _json_problem(error)
            yield RowProblem(file=file, line=number, field="", problem=problem, remedy=remedy, raw=line)
            continue
        yield Row(file, number, {name: value for name, value in data.items() if value is not None})


def _json_object(line: str) -> dict[str, Any]:
    data = json.loads(line, object_pairs_hook=_unique_fields, parse_constant=_no_constant)
    if not isinstance(data, dict):
        raise ValueError(f"the line holds a {type(data).__name__}, not an object")
    if "\\u" in line and _has_surrogate(data):
        raise ValueError("half a character (a lone surrogate such as \\ud800)")
    return data


def _json_problem(error: Exception) -> tuple[str, str]:
    if isinstance(error, RecursionError):
        return "nested too deeply", "write one flat object a line"
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} at character {error.colno}", "write one JSON object a line"
    return str(error), 'write one JSON object a line, such as {"id": "a", "text": "…"}'


def _unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field '{twice}' is there twice")
    return data


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _has_surrogate(data: object) -> bool:
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
