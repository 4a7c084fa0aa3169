"""Reading contents to tag, and tagged history, from the rows of files."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from llm4tag.knowledge_store.ingest.input_formats import STDIN
from llm4tag.knowledge_store.ingest.notices import Notes, SeenIds
from llm4tag.knowledge_store.ingest.row import Row, RowProblem
from llm4tag.knowledge_store.ingest.row_files import read_rows
from llm4tag.schema import Assignment, Content, Provenance, TaggedContent, Vocabulary, normal_name, now

HISTORY_COLUMNS = ("id", "text", "tags|assignments")
"""The columns that a table of history must have."""
REQUIRED_CONTENT_COLUMNS = ("text|title",)
"""The columns that a table of contents to tag must have."""


def _number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _in_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


RowId = Annotated[str, BeforeValidator(_number_as_text)]
"""An id; a whole number, which is common in tables, is read as its digits."""
Time = Annotated[datetime, AfterValidator(_in_utc)]
"""A time; one without a zone is in UTC."""


class _ContentRow(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: RowId | None = None
    text: str = ""
    title: str = ""


class _AssignmentRow(BaseModel):
    model_config = ConfigDict(extra="ignore")

    tag: RowId = Field(min_length=1)
    provenance: Provenance | None = None
    confidence: float | None = Field(default=None, ge=0.0, le=1.0)
    time: Time | None = None


class _HistoryRow(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: RowId
    text: str
    title: str = ""
    tags: tuple[RowId, ...] | None = None
    assignments: tuple[_AssignmentRow, ...] | None = None
    provenance: Provenance = Provenance.HUMAN
    confidence: float = Field(default=1.0, ge=0.0, le=1.0)
    time: Time | None = None

    def given(self) -> tuple[_AssignmentRow, ...]:
        """Return the assignments that the row gives in either form."""
        return (*(self.assignments or ()), *(_AssignmentRow(tag=tag) for tag in self.tags or ()))


_KNOWN_FIELDS = frozenset(_HistoryRow.model_fields)


def note_unread(row: Row, known: frozenset[str], notes: Notes) -> None:
    """Add a notice for each field of a row that is not read."""
    for name in row.data.keys() - known:
        notes.add("unread", f"the field '{name}' is not read", row.file, row.line)


def text_id(title: str, text: str) -> str:
    """Return the id for a content without one: it depends on the text alone, so a rerun finds it again."""
    return "sha256:" + hashlib.sha256(f"{title}\n{text}".encode()).hexdigest()[:16]


def read_contents(
    file: str, *, notes: Notes | None = None, seen: SeenIds | None = None
) -> Iterator[Content | RowProblem]:
    """Read contents to tag from JSONL, CSV, Parquet, plain text (one content per line) or stdin (``-``).

    A row without an id gets one from its text (``sha256:…``); if the same text occurs again, ``-2``, ``-3`` and so
    on is added, so that every row has a result.

    Args:
        file: the path, or ``-``.
        notes: collects notices.
        seen: the ids that occurred in other files of the same run.

    Yields:
        A content, or the problem of its row.

    Raises:
        UsageError: the file cannot be opened or does not have an accepted format.
    """
    notes = notes or Notes()
    seen = seen or SeenIds()
    times: Counter[str] = Counter()
    for row in read_rows(file, text=True):
        if isinstance(row, RowProblem):
            yield row
            continue
        note_unread(row, _KNOWN_FIELDS, notes)
        try:
            fields = _ContentRow.model_validate(row.data)
            if not (fields.text.strip() or fields.title.strip()):
                yield row.problem("text", "is missing or blank", "give the text to tag")
                continue
            content_id = fields.id
            if content_id is None:
                content_id = text_id(fields.title, fields.text)
                times[content_id] += 1
                if times[content_id] > 1:
                    content_id += f"-{times[content_id]}"
            content = Content(id=content_id, text=fields.text, title=fields.title)
        except ValidationError as error:
            yield row.invalid(error)
            continue
        yield seen.duplicate(content.id, row) or content


class Unmapped(NamedTuple):
    """The reason why a label cannot be mapped to a tag, with the remedy."""

    problem: str
    remedy: str


def map_tag(vocabulary: Vocabulary, label: str) -> str | Unmapped:
    """Return the id of the tag that a label in a history means; it may be a group or a retired tag.

    An id means itself; a name or alias is mapped if exactly one assignable tag has it.
    """
    label = label.strip()
    if label in vocabulary:
        return label
    tag_id = vocabulary.resolve(label)
    if tag_id is not None:
        return tag_id
    shared = vocabulary.ambiguous.get(normal_name(label))
    if shared:
        return Unmapped(
            f"{label!r} names several tags ({', '.join(sorted(shared))})", "give the id of the one that is meant"
        )
    return Unmapped(
        f"{label!r} is no tag of the vocabulary", "correct it, or ingest a vocabulary that has it and run again"
    )


class HistoryReader:
    """Reads tagged contents and maps their labels to the tags of a vocabulary.

    A row with labels that the vocabulary lacks is stored with its other tags; the lacking ones are reported as a
    partial problem just before the content. A row without any known tag is set aside.

    Args:
        vocabulary: the vocabulary of the store.
        notes: collects notices.
        seen: remembers where each id occurred.
    """

    def __init__(self, vocabulary: Vocabulary, notes: Notes | None = None, seen: SeenIds | None = None) -> None:
        self._vocabulary = vocabulary
        self._notes = notes or Notes()
        self._seen = SeenIds() if seen is None else seen

    def read(self, file: str) -> Iterator[TaggedContent | RowProblem]:
        """Read one file; an id may occur only once in all the files that one reader reads.

        Raises:
            UsageError: the file cannot be opened or does not have an accepted format.
        """
        default_time = _file_time(file)
        for row in read_rows(file, lists=("tags",)):
            if isinstance(row, RowProblem):
                yield row
                continue
            note_unread(row, _KNOWN_FIELDS, self._notes)
            yield from self._tagged(row, default_time)

    def _tagged(self, row: Row, default_time: datetime) -> Iterator[TaggedContent | RowProblem]:
        try:
            fields = _HistoryRow.model_validate(row.data)
            content = TaggedContent(id=fields.id, text=fields.text, title=fields.title)
        except ValidationError as error:
            yield row.invalid(error)
            return
        if not content.full_text.strip():
            yield row.problem("text", "is blank", "give the text that was tagged")
            return
        if not fields.given():
            yield row.problem("tags", "is missing or empty", "give at least one tag, or leave the row out")
            return
        duplicate = self._seen.duplicate(content.id, row)
        if duplicate:
            yield duplicate
            return
        assignments, unmapped = self._assignments(row, fields, default_time)
        if unmapped:
            yield _unmapped_problem(row, fields, unmapped, partial=bool(assignments))
        if assignments:
            yield content.model_copy(update={"assignments": assignments})

    def _assignments(
        self, row: Row, fields: _HistoryRow, default_time: datetime
    ) -> tuple[tuple[Assignment, ...], dict[str, Unmapped]]:
        found: dict[tuple[str, Provenance], Assignment] = {}
        unmapped: dict[str, Unmapped] = {}
        for given in fields.given():
            tag = map_tag(self._vocabulary, given.tag)
            if isinstance(tag, Unmapped):
                unmapped[given.tag] = tag
                continue
            if self._vocabulary[tag].group:
                message = f"{tag!r} is a group: it stays in the history and is never assigned"
                self._notes.add("group", message, row.file, row.line)
            assignment = Assignment(
                tag=tag,
                provenance=given.provenance or fields.provenance,
                confidence=fields.confidence if given.confidence is None else given.confidence,
                time=given.time or fields.time or default_time,
            )
            found.setdefault((tag, assignment.provenance), assignment)
        return tuple(found.values()), unmapped


def _unmapped_problem(
    row: Row, fields: _HistoryRow, unmapped: Mapping[str, Unmapped], *, partial: bool
) -> RowProblem:
    remedies = dict.fromkeys(reason.remedy for reason in unmapped.values())
    return row.problem(
        "tags" if fields.tags else "assignments",
        "; ".join(reason.problem for reason in unmapped.values()),
        "; or ".join(remedies),
        raw={"id": fields.id, "tags": list(unmapped)} if partial else None,
        partial=partial,
    )


def _file_time(file: str) -> datetime:
    """Return when a file last changed: the time of assignments without one, which is the same in a rerun."""
    if file == STDIN or not Path(file).exists():
        return now()
    return datetime.fromtimestamp(int(Path(file).stat().st_mtime), UTC)


def read_history(
    files: Iterable[str], vocabulary: Vocabulary, notes: Notes | None = None, seen: SeenIds | None = None
) -> Iterator[TaggedContent | RowProblem]:
    """Read tagged contents from several files with one ``HistoryReader``."""
    reader = HistoryReader(vocabulary, notes, seen)
    for file in files:
        yield from reader.read(file)
