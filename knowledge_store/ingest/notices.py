"""What a reader reports in addition to its rows: notices, and ids that occur twice."""

from pydantic import BaseModel, ConfigDict

from llm4tag.knowledge_store.ingest.row import Row, RowProblem


class Notice(BaseModel):
    """Something worth knowing, for which no row is set aside."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    message: str
    file: str = ""
    """The file in which it first occurred."""
    line: int | None = None
    count: int = 1

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line is not None else self.file
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{where}: {self.message}{times}" if where else f"{self.message}{times}"


class Notes:
    """Collects notices; a notice that occurs again is counted and not repeated."""

    def __init__(self) -> None:
        self._notices: dict[tuple[str, str], Notice] = {}

    def add(self, kind: str, message: str, file: str = "", line: int | None = None) -> None:
        """Add a notice, or count it if it occurred before."""
        known = self._notices.get((kind, message))
        self._notices[kind, message] = (
            known.model_copy(update={"count": known.count + 1})
            if known
            else Notice(kind=kind, message=message, file=file, line=line)
        )

    @property
    def notices(self) -> tuple[Notice, ...]:
        """All notices, in the order in which they first occurred."""
        return tuple(self._notices.values())


class SeenIds:
    """Remembers in which rows ids occurred, over all files of one run."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[str, int | None]] = {}

    def place(self, row_id: str) -> tuple[str, int | None] | None:
        """Return the file and line of an id, or None if it did not occur."""
        return self._places.get(row_id)

    def duplicate(self, row_id: str, row: Row) -> RowProblem | None:
        """Return the problem of a row whose id occurred before, or None and remember the id."""
        if row_id not in self._places:
            self._places[row_id] = (row.file, row.line)
            return None
        file, line = self._places[row_id]
        if file == row.file and line is not None:
            first = f"line {line}"
        else:
            first = file if line is None else f"{file}:{line}"
        return row.problem(
            "id",
            f"the id {row_id!r} is already used at {first}",
            "give every row an id of its own, or remove one of the two",
        )
