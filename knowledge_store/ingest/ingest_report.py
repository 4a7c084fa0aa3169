"""The report of an ingest, and the file in which rows that it could not use are set aside."""

import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict

from llm4tag.knowledge_store.ingest.input_formats import STDIN, describe_os_error
from llm4tag.knowledge_store.ingest.notices import Notes, Notice, SeenIds
from llm4tag.knowledge_store.ingest.row import RowProblem, jsonable
from llm4tag.knowledge_store.records import Writing
from llm4tag.schema import Content, Passage, Tag, UsageError

IngestKind = Literal["vocabulary", "history", "knowledge", "accept"]
SHOWN_PROBLEMS = 20
"""The greatest number of problems in a report."""
T = TypeVar("T")


class IngestReport(BaseModel):
    """The result of one ingest, in numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: IngestKind
    files: tuple[str, ...]
    read: int
    """Number of rows (for knowledge: passages) that were read, with those set aside."""
    written: Writing
    set_aside: int
    """Number of rows that are not stored."""
    incomplete: int
    """Number of rows that are stored without a part of them."""
    retired: int = 0
    """Number of tags that were retired."""
    removed: int = 0
    """Number of passages that were removed because their source no longer has them."""
    unchanged_files: int = 0
    """Number of files that were skipped because they have not changed."""
    problems: tuple[RowProblem, ...] = ()
    """The first problems; all of them are in the files of rejects."""
    notices: tuple[Notice, ...] = ()
    rejects: tuple[str, ...] = ()
    """The files in which rows were set aside."""
    seconds: float

    @property
    def flawless(self) -> bool:
        """Whether every row was stored completely."""
        return not (self.set_aside or self.incomplete)


class Rejects:
    """Writes problems to ``<input name>.rejected.jsonl`` in a folder, or all of them to one given file.

    Each line holds file, line, field, problem, remedy, the raw row, and whether the rest of the row is stored
    (partial). Files of an earlier run are replaced; one whose input no longer has a bad row is removed.

    Args:
        inputs: the files whose rows may be set aside.
        folder: where the files of rejects are written by default.
        path: one file for all problems instead.
        also_read: other files that are read and must not be replaced either.

    Raises:
        UsageError: a file of rejects would replace one that is read.
    """

    def __init__(
        self, inputs: Iterable[str], folder: Path, path: Path | None = None, also_read: Iterable[str] = ()
    ) -> None:
        self._files = {file: path or folder / _default_name(file) for file in inputs}
        self._given = path
        self._open: dict[Path, IO[str]] = {}
        read = {Path(file).resolve() for file in (*self._files, *also_read)}
        for target in self._files.values():
            if target.resolve() in read:
                raise UsageError("is an input", where=target, option="rejects", remedy="name another file")

    def __enter__(self) -> Self:
        """Return the writer; files are opened when they are needed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files; after a run that ended without an error, remove those that are out of date."""
        for stream in self._open.values():
            stream.close()
        if kind is None and self._given is None:
            for target in set(self._files.values()) - set(self._open):
                target.unlink(missing_ok=True)

    def write(self, problem: RowProblem) -> None:
        """Set one row aside; when this returns, a kill cannot lose it.

        Raises:
            UsageError: the file of rejects cannot be written.
        """
        target = self._files.get(problem.file) or self._given or Path(_default_name(problem.file))
        try:
            if target not in self._open:
                target.parent.mkdir(parents=True, exist_ok=True)
                self._open[target] = target.open("w", encoding="utf-8")
            self._open[target].write(problem.model_dump_json() + "\n")
            self._open[target].flush()
        except OSError as error:
            raise UsageError(
                describe_os_error(error), where=target, option="rejects", remedy="name a file that can be written"
            ) from error

    @property
    def written(self) -> tuple[str, ...]:
        """The files in which rows were set aside in this run."""
        return tuple(str(target) for target in self._open)


def _default_name(file: str) -> str:
    return f"{'stdin' if file == STDIN else Path(file).name}.rejected.jsonl"


class IngestTally:
    """Counts what one ingest does and makes its report.

    Args:
        kind: what is ingested.
        files: the input files.
        rejects: writes the rows that are set aside.
    """

    def __init__(self, kind: IngestKind, files: Iterable[str], rejects: Rejects) -> None:
        self.notes = Notes()
        self.seen = SeenIds()
        """The ids of the rows, and where they occurred."""
        self.read = 0
        self.written = Writing()
        self.retired = 0
        self.removed = 0
        self.unchanged_files = 0
        self.set_aside = 0
        self._kind: IngestKind = kind
        self._files = tuple(files)
        self._rejects = rejects
        self._incomplete = 0
        self._problems: list[RowProblem] = []
        self._start = time.monotonic()

    def usable(self, batch: Iterable[T | RowProblem]) -> list[T]:
        """Set aside the problems of a batch; return its other items."""
        items: list[T] = []
        for item in batch:
            if isinstance(item, RowProblem):
                self.problem(item)
            else:
                items.append(item)
        return items

    def problem(self, problem: RowProblem) -> None:
        """Set a row, or a part of it, aside."""
        self._rejects.write(problem)
        if problem.partial:
            self._incomplete += 1
        else:
            self.set_aside += 1
            self.read += 1
        if len(self._problems) < SHOWN_PROBLEMS:
            self._problems.append(problem)

    def wrote(self, writing: Writing, items: Iterable[Tag | Content | Passage] = ()) -> None:
        """Count what the store wrote, and set aside those of the items that it refused."""
        self.written += writing
        self.read += writing.added + writing.changed + writing.unchanged
        given = {item.id: item for item in items}
        for refused in writing.refused:
            file, line = (
                self.seen.place(refused.id) or self.seen.place(refused.id.rpartition("#")[0]) or ("", None)
            )
            item = given.get(refused.id)
            self.problem(
                RowProblem(
                    file=file,
                    line=line,
                    field="id",
                    problem=f"the store refused {refused.id!r}: {refused.reason}",
                    remedy="correct the row if that is the cause, or look at the server's log; then run again",
                    raw=None if item is None else jsonable(item.model_dump(mode="json")),
                )
            )

    def require_usable(self) -> None:
        """Raise UsageError if nothing that was read is usable."""
        if self.read == self.set_aside and not (self.unchanged_files or self.removed):
            raise self._nothing_usable()

    def report(self) -> IngestReport:
        """Return the report of what was counted so far."""
        return IngestReport(
            kind=self._kind,
            files=self._files,
            read=self.read,
            written=self.written,
            set_aside=self.set_aside,
            incomplete=self._incomplete,
            retired=self.retired,
            removed=self.removed,
            unchanged_files=self.unchanged_files,
            problems=tuple(self._problems),
            notices=self.notes.notices,
            rejects=self._rejects.written,
            seconds=round(time.monotonic() - self._start, 3),
        )

    def _nothing_usable(self) -> UsageError:
        names = ", ".join("stdin" if file == STDIN else file for file in self._files)
        if not self.set_aside:
            return UsageError("nothing in it to read", where=names, remedy="give a file that has something")
        written = ", ".join(self._rejects.written)
        return UsageError(
            f"no usable row, {self.set_aside} set aside in {written}; the first: {self._problems[0]}", where=names
        )
