"""Reading the rows of CSV and Parquet files."""

import csv
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from llm4tag.knowledge_store.ingest.input_formats import Format
from llm4tag.knowledge_store.ingest.row import Row, RowProblem, Rows, bad_utf8
from llm4tag.schema import UsageError

_LARGEST_CELL = 64 * 2**20


class CsvReader:
    """Reads the cells of CSV and remembers the lines that are not UTF-8."""

    def __init__(self, lines: Iterator[bytes], form: Format) -> None:
        csv.field_size_limit(_LARGEST_CELL)
        self.bad: dict[int, int] = {}
        self.cells = csv.reader(self._decoded(lines), delimiter="\t" if form is Format.TSV else ",", strict=True)

    def _decoded(self, lines: Iterator[bytes]) -> Iterator[str]:
        for number, raw in enumerate(lines, 1):
            try:
                yield raw.decode()
            except UnicodeDecodeError as error:
                self.bad[number] = error.start + 1
                yield raw.decode(errors="backslashreplace")


def check_header(file: str, header: list[str], required: Collection[str]) -> None:
    """Check the names of a table's columns.

    Args:
        file: the file, for messages.
        header: the names.
        required: the columns that the table must have; ``a|b`` means one of the two.

    Raises:
        UsageError: two columns have the same name, or a required one is missing.
    """
    names = [name.strip() for name in header]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"the column {twice[0]!r} is there twice", where=file, remedy="give each column a name of its own"
        )
    for column in required if names else ():
        if not set(column.split("|")) & set(names):
            wanted = " or ".join(repr(name) for name in column.split("|"))
            raise UsageError(
                f"no column {wanted}",
                where=file,
                remedy=f"it has {', '.join(map(repr, names))}: rename one, or check the separator (.csv: comma, "
                ".tsv: tab)",
            )


def csv_rows(file: str, lines: Iterator[bytes], form: Format, lists: Collection[str]) -> Rows:
    """Read the lines of a CSV or TSV file whose first line names the columns."""
    reader = CsvReader(lines, form)
    records = reader.cells
    header = [name.strip() for name in next(records, [])]
    check_header(file, header, ())
    while True:
        first = records.line_num + 1
        try:
            cells = next(records)
        except StopIteration:
            return
        except csv.Error as error:
            yield RowProblem(
                file=file,
                line=first,
                field="",
                problem=f"not CSV: {error}",
                remedy='quote a cell that holds quotes, separators or line breaks, and double its quotes ("")',
            )
            continue
        bad = next((line for line in range(first, records.line_num + 1) if line in reader.bad), None)
        if bad is not None:
            yield bad_utf8(file, bad, reader.bad[bad], ",".join(cells))
        elif len(cells) != len(header) and cells:
            yield RowProblem(
                file=file,
                line=first,
                field="",
                problem=f"{len(cells)} cells where the header has {len(header)}",
                remedy="add or remove cells, or put a cell that holds the separator in quotes",
                raw=list(cells),
            )
        elif any(cells):
            yield Row(file, first, _split(zip(header, cells, strict=True), lists))


def _split(fields: Iterable[tuple[str, Any]], lists: Collection[str]) -> dict[str, Any]:
    """Leave out empty cells and cut the cells of list columns at ``|``."""
    return {
        name: [part.strip() for part in value.split("|") if part.strip()]
        if name in lists and isinstance(value, str)
        else value
        for name, value in fields
        if value is not None and value != ""
    }


def open_parquet(file: str) -> Any:
    """Open a file as a ``pyarrow.parquet.ParquetFile``, or raise UsageError if it is not Parquet."""
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(file)
    except pyarrow.ArrowInvalid as error:
        raise UsageError(f"not a Parquet file ({error})", where=file, remedy="write it again") from error


def parquet_rows(file: str, lists: Collection[str]) -> Rows:
    """Read a Parquet file in batches; the line of a row is its number, from 1."""
    import pyarrow

    line = 0
    try:
        with open_parquet(file) as table:
            for batch in table.iter_batches(batch_size=256):
                for data in batch.to_pylist():
                    line += 1
                    yield Row(file, line, _split(data.items(), lists))
    except (pyarrow.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        yield RowProblem(
            file=file,
            line=line + 1,
            field="",
            problem=f"the Parquet file is broken from here on ({error})",
            remedy="write it again",
        )
