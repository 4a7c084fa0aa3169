"""LabelledContent files: contents with their gold tags, and samples of them."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from llm4tag.knowledge_store.ingest.contents import RowId, Unmapped, map_tag
from llm4tag.knowledge_store.ingest.notices import Notes, SeenIds
from llm4tag.knowledge_store.ingest.row import Row, RowProblem
from llm4tag.knowledge_store.ingest.row_files import read_rows
from llm4tag.schema import Content, Provenance, Vocabulary

LABELLED_COLUMNS = ("id", "text|title", "tags|assignments")
"""The columns that a table of labelled contents needs."""


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
        """Return the tags that people gave; tags from a model are not gold."""
        return *self.tags, *(one.tag for one in self.assignments if one.provenance is Provenance.HUMAN)


@dataclass(frozen=True, slots=True)
class LabelledContent:
    """A content with its gold tags, at least one."""

    content: Content
    gold: frozenset[str]
    """Tag ids; a label that is not in the vocabulary is taken as it is, and can never be hit."""


def read_labelled(
    file: str, vocabulary: Vocabulary, notes: Notes, seen: SeenIds
) -> Iterator[LabelledContent | RowProblem]:
    """Read labelled contents from JSONL, CSV, Parquet or stdin (``-``), in the form of tagged history.

    Labels that the vocabulary lacks are gold tags too, with a notice, as leaving them out would flatter recall.

    Yields:
        A labelled content, or the problem of its row.

    Raises:
        UsageError: the file cannot be opened or its format is not known.
    """
    for row in read_rows(file, lists=("tags",)):
        if isinstance(row, RowProblem):
            yield row
        else:
            yield _labelled(row, vocabulary, notes, seen)


def _labelled(row: Row, vocabulary: Vocabulary, notes: Notes, seen: SeenIds) -> LabelledContent | RowProblem:
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
    return LabelledContent(content, frozenset(_gold(label, row, vocabulary, notes) for label in fields.labels()))


def _gold(label: str, row: Row, vocabulary: Vocabulary, notes: Notes) -> str:
    tag = map_tag(vocabulary, label)
    if isinstance(tag, Unmapped):
        notes.add("outside", f"{tag.problem}: it counts as a tag that is never found", row.file, row.line)
        return label.strip()
    if not vocabulary[tag].assignable:
        kind = "a group" if vocabulary[tag].group else "retired"
        notes.add("outside", f"{tag!r} is {kind}: it counts as a tag that is never found", row.file, row.line)
    return tag


def narrow(labelled: list[LabelledContent], tags: frozenset[str]) -> tuple[list[LabelledContent], int]:
    """Keep the gold tags among ``tags`` and the contents that have any.

    Returns:
        The contents, and the number of gold tags that were left out.
    """
    narrowed = [LabelledContent(one.content, one.gold & tags) for one in labelled]
    left_out = sum(len(one.gold) for one in labelled) - sum(len(one.gold) for one in narrowed)
    return [one for one in narrowed if one.gold], left_out


def sample_ids(ids: Iterable[str], limit: int | None, seed: int = 0) -> frozenset[str]:
    """Return a sample of ids that is the same everywhere for the same seed.

    Args:
        ids: the ids to choose from.
        limit: the size of the sample, at most; None takes all ids.
        seed: another seed gives another sample.
    """
    if limit is None:
        return frozenset(ids)
    ordered = sorted(set(ids), key=lambda one: hashlib.sha256(f"{seed}:{one}".encode()).hexdigest())
    return frozenset(ordered[:limit])
