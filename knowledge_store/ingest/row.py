"""A row as it was read from a file, and the problems that it can have."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic_core import ErrorDetails, to_jsonable_python

from llm4tag.schema import UsageError


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its place and its fields. Fields that are null, and empty cells, are left out."""

    file: str
    line: int | None
    """Its number from 1; None if the format has no lines (RDF)."""
    data: dict[str, Any]

    def problem(
        self, field: str, problem: str, remedy: str, *, raw: object = None, partial: bool = False
    ) -> "RowProblem":
        """Return a problem of this row.

        Args:
            field: name of the field, empty for the whole row.
            problem: a clause that says what is wrong.
            remedy: what to do about it.
            raw: the part of the row that is not stored; None means all of it.
            partial: whether the rest of the row is stored.
        """
        return RowProblem(
            file=self.file,
            line=self.line,
            field=field,
            problem=problem,
            remedy=remedy,
            raw=jsonable(self.data if raw is None else raw),
            partial=partial,
        )

    def invalid(self, error: ValidationError) -> "RowProblem":
        """Return the problem of fields that pydantic refused: it names the first one, then the others."""
        (field, problem, remedy), *others = map(_described, error.errors(include_url=False))
        more = "".join(f"; also field '{name}': {what}" for name, what, _ in others)
        return self.problem(field, problem + more, remedy)


class RowProblem(BaseModel):
    """A row that is set aside, or stored without a part of it, with the remedy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    line: int | None
    """Its number from 1; in a Parquet file the row's number; None if the format has no lines."""
    field: str
    """Name of the field; empty for the whole row."""
    problem: str
    remedy: str
    raw: JsonValue = None
    """The row as it was read, for the file of rejects."""
    partial: bool = False
    """Whether the rest of the row is stored."""

    def __str__(self) -> str:
        return str(self.as_error())

    def as_error(self) -> UsageError:
        """Return the error for a file in which no row may be set aside."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return UsageError(
            self.problem, where=f"{place}: field '{self.field}'" if self.field else place, remedy=self.remedy
        )


Rows = Iterator[Row | RowProblem]


def jsonable(value: object) -> JsonValue:
    """Return a value as JSON can hold it; what JSON cannot hold becomes text."""
    result: JsonValue = to_jsonable_python(value, fallback=str, bytes_mode="base64", inf_nan_mode="strings")
    return result


def bad_utf8(file: str, line: int, position: int, raw: str) -> RowProblem:
    """Return the problem of a line that is not UTF-8; ``position`` is the number of the byte in it, from 1."""
    return RowProblem(
        file=file,
        line=line,
        field="",
        problem=f"not UTF-8 at byte {position} of the line",
        remedy="save the file as UTF-8",
        raw=raw,
    )


_WRONG_TYPES = {
    "string_type": "is not a text",
    "tuple_type": "is not a list",
    "model_type": "is not an object",
    "bool_parsing": "is neither true nor false",
    "bool_type": "is neither true nor false",
    "float_parsing": "is not a number",
    "float_type": "is not a number",
}
"""Problems in other words than pydantic's, which name Python's types."""
_REMEDIES = {
    "missing": "add it",
    "string_type": "make it a text",
    "string_too_short": "fill it in",
    "tuple_type": 'make it a list, such as ["a", "b"] (in CSV: a|b)',
    "model_type": "make it a JSON object",
    "bool_parsing": "use true or false",
    "bool_type": "use true or false",
    "enum": "use one of the words named",
    "greater_than_equal": "use a number from 0 to 1",
    "less_than_equal": "use a number from 0 to 1",
    "float_parsing": "use a number from 0 to 1",
    "float_type": "use a number from 0 to 1",
}
_TIME = "use ISO 8601, such as 2026-11-23T09:00:00Z"


def _described(error: ErrorDetails) -> tuple[str, str, str]:
    """Return the field, the problem and the remedy of an error of pydantic."""
    field = ".".join(str(part) for part in error["loc"])
    kind = error["type"]
    if kind == "missing":
        problem = "is missing"
    elif kind == "value_error":
        problem = error["msg"].removeprefix("Value error, ")
    else:
        problem = _WRONG_TYPES.get(kind) or error["msg"][0].lower() + error["msg"][1:]
    remedy = _TIME if kind.startswith(("datetime", "timezone", "date_")) else _REMEDIES.get(kind, "correct it")
    return field, problem, remedy
