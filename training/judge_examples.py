"""Examples for a judge: contents with candidates, and for each candidate whether people gave that tag.

A file of examples is JSONL: the head of a set, then its examples. Each example names its set, so files can be
concatenated.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from llm4tag.knowledge_store.ingest.row import RowProblem
from llm4tag.knowledge_store.ingest.row_files import read_rows
from llm4tag.models.language_model import Message
from llm4tag.prompts import Example, PromptContext
from llm4tag.prompts.judge import tuned_judge_messages
from llm4tag.schema import Content, Tag, UsageError
from llm4tag.schema.adapter_card import AdapterLimits, JudgeForm
from llm4tag.schema.errors import first_fault

TRAIN, HELD_OUT = "train", "held_out"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrainingSet(_Part):
    """The head of a set: where its examples are from, and the form of their questions."""

    kind: Literal["set"] = "set"
    format: Literal[1] = 1
    set: str = Field(min_length=1)
    form: str = Field(min_length=1)
    """Name of the prompt form."""
    prompt: JudgeForm
    limits: AdapterLimits
    vocabulary: str
    """Version of the store's vocabulary."""
    embedding: str
    prior: str
    """Id of the prior by which recall weighed the candidates."""
    seed: int
    contents: int = Field(ge=0)
    held_out: int = Field(ge=0)
    """How many of the contents are held out."""


class SimilarItem(_Part):
    """A similar tagged content, which is no near-duplicate of the example."""

    first_line: str
    tags: tuple[str, ...]
    """Ids of all tags that people gave it."""


class ExampleTag(_Part):
    """A candidate, and whether people gave that tag."""

    id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    description: str = ""
    right: bool
    recall: float | None = None
    """Recall's confidence, as if the content and its near-duplicates were not in the history. None: a right tag
    that is not among recall's best candidates, and was added so that the judge sees such tags too."""


class TrainingExample(_Part):
    """One content with its candidates; the best one is first."""

    kind: Literal["example"] = "example"
    set: str
    form: str
    id: str = Field(min_length=1)
    group: str
    """The smallest id in its group of near-duplicates; a group is held out as a whole."""
    split: Literal["train", "held_out"]
    text: str
    """Title and text, cut a little beyond the form's limit of characters."""
    similar: tuple[SimilarItem, ...] = ()
    """The most similar one is first; there are at most as many as the form's limit allows."""
    tags: tuple[ExampleTag, ...]

    def context(self, shown: int) -> PromptContext:
        """Return the part that all its questions share.

        Args:
            shown: how many of the similar items are shown.
        """
        return PromptContext(
            content=Content(id=self.id, text=self.text),
            examples=tuple(Example(text=one.first_line, tags=(), ids=one.tags) for one in self.similar[:shown]),
        )

    def questions(self, head: TrainingSet, shown: int) -> Iterator[tuple[ExampleTag, tuple[Message, ...]]]:
        """Yield each candidate with the messages of its question, exactly as tagging sends them.

        Args:
            head: the head of its set.
            shown: how many of the similar items are shown.
        """
        context = self.context(shown)
        for one in self.tags:
            tag = Tag.model_construct(id=one.id, name=one.name, description=one.description)
            yield one, tuned_judge_messages(context, tag, head.prompt, head.limits)


Line = TrainingSet | TrainingExample
_LINE: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="kind")])


class Examples(_Part):
    """The data that a judge is trained on: sets, and all their examples."""

    sets: dict[str, TrainingSet]
    train: tuple[TrainingExample, ...]
    held_out: tuple[TrainingExample, ...]
    repeated: int = 0
    """How many held-out contents are left out because another set trains on the same text."""


def read_examples(files: Sequence[str]) -> Examples:
    """Read one or more exports.

    Raises:
        UsageError: a file or a line is no export, two sets have the same name, or the sets' limits differ.
    """
    sets: dict[str, TrainingSet] = {}
    found: dict[tuple[str, str], TrainingExample] = {}
    for file in files:
        for number, line in _lines(file):
            if isinstance(line, TrainingSet):
                _add_set(sets, line, f"{file}:{number}")
            elif line.set not in sets:
                raise _bad_line(file, number, "set", f"the head of {line.set!r} is missing")
            elif line.form != sets[line.set].form:
                raise _bad_line(file, number, "form", f"{line.set!r} has another one")
            elif (line.set, line.id) in found:
                raise _bad_line(file, number, "id", f"{line.id!r} of {line.set!r} is there twice")
            else:
                found[line.set, line.id] = line
    return _split(sets, found.values())


def _lines(file: str) -> Iterator[tuple[int, Line]]:
    for row in read_rows(file):
        if isinstance(row, RowProblem):
            raise row.as_error()
        try:
            yield row.line or 0, _LINE.validate_python(row.data)
        except ValidationError as error:
            fault = first_fault(error)
            raise _bad_line(file, row.line, fault.field or "kind", fault.words) from error


def _bad_line(file: str, line: int | None, field: str, what: str) -> UsageError:
    return UsageError(what, where=f"{file}:{line}: field '{field}'", remedy="{export_examples}")


def _add_set(sets: dict[str, TrainingSet], head: TrainingSet, place: str) -> None:
    if head.set in sets:
        raise UsageError(
            f"{head.set!r} was read already",
            where=f"{place}: field 'set'",
            remedy="export one of the two under another {name}",
        )
    first = next(iter(sets.values()), head)
    if head.limits != first.limits:
        raise UsageError(
            f"{head.set!r} has other limits than {first.set!r}, and a judge has the same for all sets",
            where=f"{place}: field 'limits'",
            remedy="export both with the same limits",
        )
    sets[head.set] = head


def _split(sets: dict[str, TrainingSet], examples: Iterable[TrainingExample]) -> Examples:
    """Separate contents to train on from held-out ones, which may contain no text that another set trains on."""
    usable = [one for one in examples if one.tags]
    train = tuple(one for one in usable if one.split == TRAIN)
    known = {one.text for one in train}
    held_out = [one for one in usable if one.split == HELD_OUT]
    unknown = tuple(one for one in held_out if one.text not in known)
    return Examples(sets=sets, train=train, held_out=unknown, repeated=len(held_out) - len(unknown))


def line_of(record: BaseModel) -> bytes:
    """Return a record as a line of JSONL."""
    return record.model_dump_json(exclude_defaults=False).encode() + b"\n"


def default_name(location: str) -> str:
    """Return the default name of a store's set: the last part of the store's location, without its suffix."""
    return Path(location.rstrip("/")).stem
