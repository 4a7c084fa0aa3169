"""What an ingest did, and the file in which the rows that it could not use are set aside."""

import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

from pydantic import BaseModel, ConfigDict

from llm4tag.knowledge_store.ingest.input_formats import STDIN, describe_os_error
from llm4tag.knowledge_store.ingest.notices import Notes, Notice, Seen
from llm4tag.knowledge_store.ingest.row import RowProblem, jsonable
from llm4tag.knowledge_store.protocol import Writing
from llm4tag.schema import Content, Passage, Tag, UsageError

Kind = Literal["vocabulary", "history", "knowledge", "accept"]
SHOWN_PROBLEMS = 20


class IngestReport(BaseModel):
    """What came of one ingest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    files: tuple[str, ...]
    read: int
    """Rows (for knowledge: passages) that were read, those set aside included."""
    written: Writing
    set_aside: int
    """Rows that are not stored."""
    incomplete: int
    """Rows that are stored without a part of them."""
    retired: int = 0
    """Tags that were retired."""
    removed: int = 0
    """Passages that were removed since their source no longer has them."""
    unchanged_files: int = 0
    """Files that were skipped since they are as they were."""
    problems: tuple[RowProblem, ...] = ()
    """The first of them; the files of rejects have all."""
    notices: tuple[Notice, ...] = ()
    rejects: tuple[str, ...] = ()
    """Files in which rows were set aside."""
    seconds: float

    @property
    def flawless(self) -> bool:
        """Whether every row was stored as it was given."""
        return not (self.set_aside or self.incomplete)


class Rejects:
    """Writes problems to ``<input name>.rejected.jsonl`` in a folder, or all to one given file.

    Each line holds file, line, field, problem, mend, the raw row and whether the rest of it is stored (partial).
    Files of an earlier run are replaced; one whose input has no bad row any more is removed.

    Args:
        inputs: the files that are read.
        folder: where the files of rejects go by default.
        path: one file for all instead.
        also_read: files that are read beside the inputs, without rows of theirs being set aside.

    Raises:
        UsageError: a file of rejects would replace an input.
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
                raise UsageError(f"{target} is an input; name another file for the rejects")

    def __enter__(self) -> Self:
        """Start a run."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what was opened; after a run that came to its end, remove what is out of date."""
        for stream in self._open.values():
            stream.close()
        if kind is None and self._given is None:
            for target in set(self._files.values()) - set(self._open):
                target.unlink(missing_ok=True)

    def write(self, problem: RowProblem) -> None:
        """Set one row aside, safe from a kill when this returns.

        Raises:
            UsageError: the file cannot be written.
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
                f"{target}: {describe_os_error(error)}; name a file that can be written with --rejects"
            ) from error

    @property
    def written(self) -> tuple[str, ...]:
        """The files that hold rejects."""
        return tuple(str(target) for target in self._open)


def _default_name(file: str) -> str:
    return f"{'stdin' if file == STDIN else Path(file).name}.rejected.jsonl"


class Tally:
    """Counts what a runner does and makes its report."""

    def __init__(self, kind: Kind, files: Iterable[str], rejects: Rejects) -> None:
        self.notes = Notes()
        self.seen = Seen()
        """Where each id stood."""
        self.read = 0
        self.written = Writing()
        self.retired = 0
        self.removed = 0
        self.unchanged_files = 0
        self.set_aside = 0
        self._kind: Kind = kind
        self._files = tuple(files)
        self._rejects = rejects
        self._incomplete = 0
        self._problems: list[RowProblem] = []
        self._start = time.monotonic()

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
        """Count what the store acknowledged, and set aside those of the items that it refused."""
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
                    mend="correct the row if it is to blame, or look at the server's log; then run again",
                    raw=None if item is None else jsonable(item.model_dump(mode="json")),
                )
            )

    def require_usable(self) -> None:
        """Raise UsageError when nothing that was read is usable."""
        if self.read == self.set_aside and not (self.unchanged_files or self.removed):
            raise UsageError(self._nothing_usable())

    def report(self) -> IngestReport:
        """Return what came of it."""
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

    def _nothing_usable(self) -> str:
        names = ", ".join("stdin" if file == STDIN else file for file in self._files)
        if not self.set_aside:
            return f"{names}: nothing in it to read; give a file that has something"
        return (
            f"{names}: no usable row, {self.set_aside} set aside in {', '.join(self._rejects.written)}; "
            f"the first: {self._problems[0]}"
        )
