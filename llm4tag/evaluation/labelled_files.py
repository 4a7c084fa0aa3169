"""Labelled files: contents with the tags that are right."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from llm4tag.knowledge_store.ingest.contents import RowId, Unmapped, map_tag
from llm4tag.knowledge_store.ingest.notices import Notes, SeenIds
from llm4tag.knowledge_store.ingest.row import Row, RowProblem
from llm4tag.knowledge_store.ingest.row_files import read_rows
from llm4tag.schema import Content, Provenance, Vocabulary

LABELLED_COLUMNS = ("id", "text|title", "tags|assignments")
"""What a table of labelled contents needs."""


class _Assignment(BaseModel):
    model_config = ConfigDict(extra="ignore")

    tag: RowId
    provenance: Provenance = Provenance.HUMAN


class _LabelledRow(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: RowId
    text: str = ""
    title: str = ""
    tags: tuple[RowId, ...] = ()
    assignments: tuple[_Assignment, ...] = ()

    def labels(self) -> tuple[str, ...]:
        """Return what people gave; tags from a model are no gold."""
        return *self.tags, *(one.tag for one in self.assignments if one.provenance is Provenance.HUMAN)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A content with its gold tags, at least one."""

    content: Content
    gold: frozenset[str]
    """Tag ids; a label that is no tag of the vocabulary stands as it was given, and can never be hit."""


def read_labelled(
    file: str, vocabulary: Vocabulary, notes: Notes, seen: SeenIds
) -> Iterator[Labelled | RowProblem]:
    """Read labelled contents from JSONL, CSV, Parquet or stdin (``-``), in the form of tagged history.

    Labels that the vocabulary lacks stay in the gold tags and are noted, as leaving them out would flatter recall.

    Yields:
        A labelled content, or the problem of its row.

    Raises:
        UsageError: the file cannot be opened or is of no accepted format.
    """
    for row in read_rows(file, lists=("tags",)):
        if isinstance(row, RowProblem):
            yield row
        else:
            yield _labelled(row, vocabulary, notes, seen)


def _labelled(row: Row, vocabulary: Vocabulary, notes: Notes, seen: SeenIds) -> Labelled | RowProblem:
    try:
        fields = _LabelledRow.model_validate(row.data)
        content = Content(id=fields.id, text=fields.text, title=fields.title)
    except ValidationError as error:
        return row.invalid(error)
    if not content.full_text.strip():
        return row.problem("text", "is missing or blank", "give the text to tag")
    if not fields.labels():
        return row.problem("tags", "is missing or empty", "give at least one right tag, or leave the row out")
    duplicate = seen.duplicate(content.id, row)
    if duplicate:
        return duplicate
    return Labelled(content, frozenset(_gold(label, row, vocabulary, notes) for label in fields.labels()))


def _gold(label: str, row: Row, vocabulary: Vocabulary, notes: Notes) -> str:
    tag = map_tag(vocabulary, label)
    if isinstance(tag, Unmapped):
        notes.add("outside", f"{tag.problem}: it counts as a tag never found", row.file, row.line)
        return label.strip()
    if not vocabulary[tag].assignable:
        kind = "a group" if vocabulary[tag].group else "retired"
        notes.add("outside", f"{tag!r} is {kind}: it counts as a tag never found", row.file, row.line)
    return tag


def narrow(labelled: list[Labelled], tags: frozenset[str]) -> tuple[list[Labelled], int]:
    """Keep the gold tags among ``tags`` and the contents that have any.

    Returns:
        The contents left, and how many gold tags were left out.
    """
    narrowed = [Labelled(one.content, one.gold & tags) for one in labelled]
    left_out = sum(len(one.gold) for one in labelled) - sum(len(one.gold) for one in narrowed)
    return [one for one in narrowed if one.gold], left_out
