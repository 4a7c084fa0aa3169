"""Reading vocabularies, tags and groups, from JSONL, CSV, Parquet and SKOS files."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llm4tag.knowledge_store.ingest.contents import RowId, note_unread
from llm4tag.knowledge_store.ingest.input_formats import (
    STDIN,
    accepted_endings,
    check_file,
    has_format,
    unknown_format,
)
from llm4tag.knowledge_store.ingest.notices import Notes, SeenIds
from llm4tag.knowledge_store.ingest.row import Row, RowProblem
from llm4tag.knowledge_store.ingest.row_files import check_rows, read_rows
from llm4tag.knowledge_store.ingest.skos import SKOS_SUFFIXES, check_skos, read_skos
from llm4tag.schema import Tag, Vocabulary, normal_name

VOCABULARY_COLUMNS = ("id", "name")
"""The columns that a table of tags must have."""
_LISTS = ("aliases", "parents")
_EXAMPLES = 5


class _TagRow(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: RowId
    name: str
    description: str = ""
    aliases: tuple[str, ...] = ()
    parents: tuple[RowId, ...] = ()
    group: bool = False
    retired: bool = Field(default=False)

    def tag(self, group: bool) -> Tag:
        """Return the tag; its aliases and parents are stripped and without repetitions."""
        name = self.name.strip()
        aliases = dict.fromkeys(alias.strip() for alias in self.aliases if alias.strip())
        parents = dict.fromkeys(parent.strip() for parent in self.parents if parent.strip())
        return Tag(
            id=self.id,
            name=name,
            description=self.description.strip(),
            aliases=tuple(alias for alias in aliases if alias != name),
            parents=tuple(parents),
            group=self.group or group,
            retired=self.retired,
        )


_KNOWN_FIELDS = frozenset(_TagRow.model_fields)


@dataclass(frozen=True, slots=True)
class VocabularyFiles:
    """The contents of vocabulary files: tags (groups first), and the problems of rows that are set aside."""

    tags: tuple[Tag, ...]
    problems: tuple[RowProblem, ...]


def is_skos(file: str) -> bool:
    """Return whether the ending of a file's name says that it is RDF."""
    return Path(file).suffix.lower() in SKOS_SUFFIXES


def check_vocabulary_files(files: Iterable[str]) -> None:
    """Make sure that all files can be read.

    Raises:
        UsageError: a file cannot be read, has another format, or lacks a column.
    """
    for file in files:
        if is_skos(file):
            check_skos(file)
            continue
        check_file(file)
        if file != STDIN and not has_format(file, text=False):
            raise unknown_format(file, f"{accepted_endings()}, and SKOS: {', '.join(SKOS_SUFFIXES)}")
        check_rows([file], VOCABULARY_COLUMNS)


def read_vocabulary(
    files: Iterable[str],
    groups: Iterable[str] = (),
    *,
    known: Mapping[str, Tag] | None = None,
    language: str = "en",
    notes: Notes | None = None,
    seen: SeenIds | None = None,
) -> VocabularyFiles:
    """Read tags, and groups, which are never assigned.

    There are notices for parents that nothing defines, for circles among parents and for labels that name several
    tags; the tags stay as they are.

    Args:
        files: JSONL, CSV, Parquet or SKOS files of tags.
        groups: such files of groups.
        known: tags that the store already has; they may be parents.
        language: language of the names and aliases to take from SKOS, if a concept has several.
        notes: collects notices.
        seen: remembers where each id occurred.

    Raises:
        UsageError: a file cannot be opened, does not have an accepted format or is not RDF.
    """
    notes = notes or Notes()
    seen = SeenIds() if seen is None else seen
    tags: dict[str, Tag] = {}
    problems: list[RowProblem] = []
    for file, group in [*((file, True) for file in groups), *((file, False) for file in files)]:
        for item in _tags(file, group, language, notes):
            if isinstance(item, RowProblem):
                problems.append(item)
                continue
            row, tag = item
            duplicate = seen.duplicate(tag.id, row)
            if duplicate:
                problems.append(duplicate)
                continue
            tags[tag.id] = tag
    merged = {**(known or {}), **tags}
    _note_parents(tags, merged, seen, notes)
    _note_circles(tags, merged, seen, notes)
    _note_shared_labels(tags, merged, notes)
    return VocabularyFiles(tags=tuple(tags.values()), problems=tuple(problems))


def _tags(file: str, group: bool, language: str, notes: Notes) -> Iterator[tuple[Row, Tag] | RowProblem]:
    rows = read_skos(file, language, notes) if is_skos(file) else read_rows(file, lists=_LISTS)
    for row in rows:
        if isinstance(row, RowProblem):
            yield row
            continue
        note_unread(row, _KNOWN_FIELDS, notes)
        try:
            yield row, _TagRow.model_validate(row.data).tag(group)
        except ValidationError as error:
            yield row.invalid(error)


def _note_parents(tags: Mapping[str, Tag], merged: Mapping[str, Tag], seen: SeenIds, notes: Notes) -> None:
    for tag in tags.values():
        for parent in tag.parents:
            if parent not in merged:
                place = seen.place(tag.id) or ("", None)
                notes.add("parent", f"the parent {parent!r} is neither a tag nor a group", *place)


def _note_circles(tags: Mapping[str, Tag], merged: Mapping[str, Tag], seen: SeenIds, notes: Notes) -> None:
    """Walk up the parents of every tag, depth first, and add a notice for each circle once."""
    done: set[str] = set()
    for start in tags:
        path: list[str] = []
        on_path: set[str] = set()
        todo = [(start, False)]
        while todo:
            tag_id, leaving = todo.pop()
            if leaving:
                on_path.discard(path.pop())
                done.add(tag_id)
            elif tag_id in on_path:
                circle = [*path[path.index(tag_id) :], tag_id]
                place = seen.place(tag_id) or ("", None)
                notes.add("circle", f"parents run in a circle: {' → '.join(circle)}", *place)
            elif tag_id not in done and tag_id in merged:
                path.append(tag_id)
                on_path.add(tag_id)
                todo.append((tag_id, True))
                todo.extend((parent, False) for parent in merged[tag_id].parents)


def _note_shared_labels(tags: Mapping[str, Tag], merged: Mapping[str, Tag], notes: Notes) -> None:
    mine = {normal_name(label) for tag in tags.values() for label in (tag.name, *tag.aliases)}
    for label, ids in Vocabulary(merged.values()).ambiguous.items():
        if label in mine:
            named = ", ".join(sorted(ids)[:_EXAMPLES]) + (", …" if len(ids) > _EXAMPLES else "")
            notes.add("ambiguous", f"{label!r} names several tags ({named}); it is never used to map")
