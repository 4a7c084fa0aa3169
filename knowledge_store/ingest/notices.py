"""What a reader has to say beside its rows."""

from pydantic import BaseModel, ConfigDict

from llm4tag.knowledge_store.ingest.row import RowProblem, jsonable


class Notice(BaseModel):
    """Something worth knowing that sets no row aside."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    message: str
    file: str = ""
    """Where it was first seen."""
    line: int | None = None
    count: int = 1

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line is not None else self.file
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{where}: {self.message}{times}" if where else f"{self.message}{times}"


class Notes:
    """Collects notices; the same one seen again is counted, not repeated."""

    def __init__(self) -> None:
        self._notices: dict[tuple[str, str], Notice] = {}

    def add(self, kind: str, message: str, file: str = "", line: int | None = None) -> None:
        """Note something."""
        known = self._notices.get((kind, message))
        self._notices[kind, message] = (
            known.model_copy(update={"count": known.count + 1})
            if known
            else Notice(kind=kind, message=message, file=file, line=line)
        )

    @property
    def notices(self) -> tuple[Notice, ...]:
        """All notices, in the order they first came up."""
        return tuple(self._notices.values())


class Seen:
    """Remembers which ids came up where, over all files of one run."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[str, int | None]] = {}

    def first(self, row_id: str, file: str, line: int | None) -> str | None:
        """Return where the id stood before, or None and remember this place."""
        if row_id not in self._places:
            self._places[row_id] = (file, line)
            return None
        first_file, first_line = self._places[row_id]
        if first_file == file and first_line is not None:
            return f"line {first_line}"
        return first_file if first_line is None else f"{first_file}:{first_line}"

    def place(self, row_id: str) -> tuple[str, int | None] | None:
        """Return the file and line of an id, or None."""
        return self._places.get(row_id)

    def duplicate(self, row_id: str, file: str, line: int | None, raw: object) -> RowProblem | None:
        """Return the problem if the id came up before, or None and remember it."""
        first = self.first(row_id, file, line)
        if first is None:
            return None
        return RowProblem(
            file=file,
            line=line,
            field="id",
            problem=f"the id {row_id!r} stands already at {first}",
            mend="give every row an id of its own, or remove one of the two",
            raw=jsonable(raw),
        )
