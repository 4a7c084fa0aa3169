"""A row as it was read, and what can be wrong with it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic_core import ErrorDetails, to_jsonable_python


@dataclass(frozen=True, slots=True)
class Row:
    """One row: where it stood and its fields. Fields that are null, and empty cells, are left out."""

    file: str
    line: int | None
    """From 1; None where the format has no lines (RDF)."""
    data: dict[str, Any]


class RowProblem(BaseModel):
    """A row that is set aside, or stored without a part of it, and what would mend it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    line: int | None
    """From 1; the row's number in a Parquet file; None where the format has no lines."""
    field: str
    """Empty when the whole row is meant."""
    problem: str
    mend: str
    raw: JsonValue = None
    """The row as it was read, for the file of rejects."""
    partial: bool = False
    """Whether the rest of the row is stored all the same."""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        field = f" field '{self.field}':" if self.field else ""
        return f"{place}:{field} {self.problem}; {self.mend}"


Rows = Iterator[Row | RowProblem]


def jsonable(value: object) -> JsonValue:
    """Return what JSON can hold of a row; what it cannot is turned into text."""
    result: JsonValue = to_jsonable_python(value, fallback=str, bytes_mode="base64", inf_nan_mode="strings")
    return result


def bad_utf8(file: str, line: int, position: int, raw: str) -> RowProblem:
    """Return the problem of a line that is not UTF-8; ``position`` is the byte, from 1."""
    return RowProblem(
        file=file,
        line=line,
        field="",
        problem=f"not UTF-8 at byte {position} of the line",
        mend="save the file as UTF-8",
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
"""Where pydantic would name Python's types."""
_MENDS = {
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


def _told(error: ErrorDetails) -> tuple[str, str, str]:
    field = ".".join(str(part) for part in error["loc"])
    kind = error["type"]
    if kind == "missing":
        problem = "is missing"
    elif kind == "value_error":
        problem = error["msg"].removeprefix("Value error, ")
    else:
        problem = _WRONG_TYPES.get(kind) or error["msg"][0].lower() + error["msg"][1:]
    mend = _TIME if kind.startswith(("datetime", "timezone", "date_")) else _MENDS.get(kind, "correct it")
    return field, problem, mend


def from_validation(file: str, line: int | None, data: Mapping[str, Any], error: ValidationError) -> RowProblem:
    """Turn the errors of one row into its problem: the first leads, the others are named after it."""
    told = [_told(details) for details in error.errors(include_url=False)]
    field, problem, mend = told[0]
    others = "".join(f"; also field '{name}': {what}" for name, what, _ in told[1:])
    return RowProblem(
        file=file, line=line, field=field, problem=problem + others, mend=mend, raw=jsonable(dict(data))
    )
