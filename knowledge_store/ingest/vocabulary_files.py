"""Vocabularies from JSONL, CSV, Parquet and SKOS files, with their groups."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llm4tag.knowledge_store.ingest.contents import RowId, note_unread
from llm4tag.knowledge_store.ingest.notices import Notes, Seen
from llm4tag.knowledge_store.ingest.row import Row, RowProblem, from_validation
from llm4tag.knowledge_store.ingest.row_files import check_rows, read_rows
from llm4tag.knowledge_store.ingest.skos import SKOS_SUFFIXES, check_skos, read_skos
from llm4tag.schema import Tag, UsageError, Vocabulary, normal_name

VOCABULARY_COLUMNS = ("id", "name")
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
        """Return the tag, its lists stripped and without repetitions."""
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
    """What vocabulary files hold: tags (groups first) and the problems of rows set aside."""

    tags: tuple[Tag, ...]
    problems: tuple[RowProblem, ...]


def is_skos(file: str) -> bool:
    """Tell by its extension whether a file is RDF."""
    return Path(file).suffix.lower() in SKOS_SUFFIXES


def check_vocabulary_files(files: Iterable[str]) -> None:
    """Make sure that all files can be read.

    Raises:
        UsageError: naming the file and what is wrong.
    """
    for file in files:
        if is_skos(file):
            check_skos(file)
            continue
        try:
            check_rows([file], VOCABULARY_COLUMNS)
        except UsageError as error:
            if "cannot tell the format" not in str(error):
                raise
            raise UsageError(f"{error}, and SKOS: {', '.join(SKOS_SUFFIXES)}") from error


def read_vocabulary(
    files: Iterable[str],
    groups: Iterable[str] = (),
    *,
    known: Mapping[str, Tag] | None = None,
    language: str = "en",
    notes: Notes | None = None,
    seen: Seen | None = None,
) -> VocabularyFiles:
    """Read tags, and groups that are never assigned.

    Noted but kept: parents that nothing defines, circles among parents, labels that name several tags.

    Args:
        files: JSONL, CSV, Parquet or SKOS.
        groups: the same, read as groups.
        known: tags that the store has already; they may be parents.
        language: of names and aliases in SKOS, where a concept has several.
        notes: collects what else there is to say.
        seen: remembers where each id stood.

    Raises:
        UsageError: a file cannot be opened, is of no accepted format or is no RDF.
    """
    notes = notes or Notes()
    seen = Seen() if seen is None else seen
    tags: dict[str, Tag] = {}
    places: dict[str, tuple[str, int | None]] = {}
    problems: list[RowProblem] = []
    for file, group in [*((file, True) for file in groups), *((file, False) for file in files)]:
        for item in _tags(file, group, language, notes):
            if isinstance(item, RowProblem):
                problems.append(item)
                continue
            row, tag = item
            duplicate = seen.duplicate(tag.id, row.file, row.line, row.data)
            if duplicate:
                problems.append(duplicate)
                continue
            tags[tag.id] = tag
            places[tag.id] = (row.file, row.line)
    merged = {**(known or {}), **tags}
    _note_parents(tags, merged, places, notes)
    _note_circles(tags, merged, places, notes)
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
            yield from_validation(row.file, row.line, row.data, error)


def _note_parents(
    tags: Mapping[str, Tag],
    merged: Mapping[str, Tag],
    places: Mapping[str, tuple[str, int | None]],
    notes: Notes,
) -> None:
    for tag in tags.values():
        for parent in tag.parents:
            if parent not in merged:
                notes.add("parent", f"the parent {parent!r} is neither a tag nor a group; kept", *places[tag.id])


def _note_circles(
    tags: Mapping[str, Tag],
    merged: Mapping[str, Tag],
    places: Mapping[str, tuple[str, int | None]],
    notes: Notes,
) -> None:
    """Walk up the parents of every tag, depth first, and note each circle once."""
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
                place = places.get(tag_id, ("", None))
                notes.add("circle", f"parents run in a circle: {' → '.join(circle)}; kept", *place)
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
            notes.add("ambiguous", f"{label!r} names several tags ({named}); never used to map")
