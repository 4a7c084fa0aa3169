"""The contents that a run reads from a file, and the rows that cannot be used."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from llm4tag.batch import TaggingFailure
from llm4tag.evaluation.labelled_files import LABELLED_COLUMNS, LabelledContent, read_labelled
from llm4tag.knowledge_store.ingest.contents import REQUIRED_CONTENT_COLUMNS, read_contents
from llm4tag.knowledge_store.ingest.ingest_report import Rejects
from llm4tag.knowledge_store.ingest.input_formats import STDIN
from llm4tag.knowledge_store.ingest.notices import Notes, Notice, SeenIds
from llm4tag.knowledge_store.ingest.row import RowProblem, jsonable
from llm4tag.knowledge_store.ingest.row_files import check_rows
from llm4tag.schema import Content, UsageError, Vocabulary

T = TypeVar("T")


@dataclass
class InputRows(Generic[T]):
    """The usable rows of a file, read into memory, the problems of the others, and notices for the user."""

    file: str
    rows: list[T] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)
    notices: tuple[Notice, ...] = ()

    def add(self, found: Iterable[T | RowProblem], notes: Notes) -> "InputRows[T]":
        """Add rows and problems to their lists, and take over the notices."""
        for item in found:
            if isinstance(item, RowProblem):
                self.problems.append(item)
            else:
                self.rows.append(item)
        self.notices = notes.notices
        return self

    def require_usable(self, folder: Path | None = None, path: Path | None = None) -> None:
        """Make sure that there is a usable row; if there is none, set the bad ones aside.

        Args:
            folder: the folder in which the file of rejects is written by default; None writes none.
            path: the file of rejects, if the user named one.

        Raises:
            UsageError: there is no usable row, or the file of rejects cannot be written.
        """
        if self.rows:
            return
        name = "stdin" if self.file == STDIN else self.file
        if not self.problems:
            raise UsageError("has no row", where=name, remedy="give a file that has some")
        rejects = () if folder is None else set_aside(self.file, self.problems, (), folder, path)
        aside = f"set aside in {', '.join(rejects)}" if rejects else "bad ones"
        raise UsageError(f"no usable row, {len(self.problems)} {aside}; the first: {self.problems[0]}", where=name)


def read_input_contents(file: str) -> InputRows[Content]:
    """Read contents to tag: JSONL, CSV, Parquet, plain text, or stdin (``-``).

    Raises:
        UsageError: the file cannot be read.
    """
    check_rows([file], REQUIRED_CONTENT_COLUMNS, text=True)
    notes = Notes()
    return InputRows[Content](file).add(read_contents(file, notes=notes, seen=SeenIds()), notes)


def read_labelled_contents(file: str, vocabulary: Vocabulary) -> InputRows[LabelledContent]:
    """Read labelled contents: JSONL, CSV, Parquet, or stdin (``-``).

    Raises:
        UsageError: the file cannot be read.
    """
    check_rows([file], LABELLED_COLUMNS)
    notes = Notes()
    return InputRows[LabelledContent](file).add(read_labelled(file, vocabulary, notes, SeenIds()), notes)


def set_aside(
    file: str, problems: Iterable[RowProblem], failures: Iterable[TaggingFailure], folder: Path, path: Path | None
) -> tuple[str, ...]:
    """Write the rows that could not be used or tagged to the file of rejects.

    Args:
        file: the name of the input.
        problems: rows that could not be used.
        failures: contents that could not be tagged.
        folder: the folder in which the file of rejects is written by default.
        path: the file of rejects, if the user named one.

    Returns:
        The files that were written; none if there is nothing to set aside.

    Raises:
        UsageError: the file of rejects cannot be written.
    """
    with Rejects([file], folder, path) as rejects:
        for problem in problems:
            rejects.write(problem)
        for failure in failures:
            rejects.write(_problem(file, failure))
        return rejects.written


def _problem(file: str, failure: TaggingFailure) -> RowProblem:
    return RowProblem(
        file=file,
        line=None,
        field="",
        problem=f"content {failure.content.id!r}: {failure}",
        remedy="run again: what has no result yet is tried again",
        raw=jsonable(failure.content),
    )
