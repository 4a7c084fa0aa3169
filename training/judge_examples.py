"""Supervised examples for a judge: contents with candidates of which it is known whether people gave them.

A file of them is JSONL: the head of a set, then its examples. Files can be put behind each other; each example
names its set.
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
from llm4tag.schema import Content, Recipe, Tag, UsageError
from llm4tag.schema.adapter_card import AdapterLimits, JudgeForm
from llm4tag.schema.errors import first_fault

TRAIN, HELD_OUT = "train", "held_out"
_MEND = "give what `llm4tag train export` wrote"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrainingSet(_Part):
    """The head of a set: where its examples are from, and how they are to be asked about."""

    kind: Literal["set"] = "set"
    format: Literal[1] = 1
    set: str = Field(min_length=1)
    form: str = Field(min_length=1)
    """Name of the prompt form."""
    prompt: JudgeForm
    limits: AdapterLimits
    vocabulary: str
    """Version of the vocabulary."""
    embedding: str
    recipe: Recipe
    """How recall weighed its paths."""
    seed: int
    contents: int = Field(ge=0)
    held_out: int = Field(ge=0)
    """How many of the contents are held out."""


class SimilarItem(_Part):
    """A similar tagged content, the example's own near-duplicates apart."""

    first_line: str
    tags: tuple[str, ...]
    """Ids of all that people gave it."""


class ExampleTag(_Part):
    """A candidate, and whether people gave it."""

    id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    description: str = ""
    right: bool
    recall: float | None = None
    """Recall's confidence, as if the content and its near-duplicates were not in history; None: recall's best
    candidates lack this right tag, which was added so that the judge sees such ones too."""


class TrainingExample(_Part):
    """One content with its candidates, the best first."""

    kind: Literal["example"] = "example"
    set: str
    form: str
    id: str = Field(min_length=1)
    group: str
    """The least id among its near-duplicates, and theirs; a group is held out as a whole."""
    split: Literal["train", "held_out"]
    text: str
    """Title and text, cut a little beyond the form's limit."""
    similar: tuple[SimilarItem, ...] = ()
    """The best first, as many as the form's limit allows."""
    tags: tuple[ExampleTag, ...]

    def context(self, shown: int) -> PromptContext:
        """Return what all questions about it share, with so many of the similar items."""
        return PromptContext(
            content=Content(id=self.id, text=self.text),
            examples=tuple(Example(text=one.first_line, tags=(), ids=one.tags) for one in self.similar[:shown]),
        )

    def questions(self, head: TrainingSet, shown: int) -> Iterator[tuple[ExampleTag, tuple[Message, ...]]]:
        """Yield each candidate with the messages that the judge is asked with, to the character."""
        context = self.context(shown)
        for one in self.tags:
            tag = Tag.model_construct(id=one.id, name=one.name, description=one.description)
            yield one, tuned_judge_messages(context, tag, head.prompt, head.limits)


Line = TrainingSet | TrainingExample
_LINE: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="kind")])


class Examples(_Part):
    """What a judge is trained on: some sets, and all their examples."""

    sets: dict[str, TrainingSet]
    train: tuple[TrainingExample, ...]
    held_out: tuple[TrainingExample, ...]
    repeated: int = 0
    """Contents left out of the held-out ones because another set trains on the very text."""


def read_examples(files: Sequence[str]) -> Examples:
    """Read one or more exports.

    Raises:
        UsageError: a file or a line is none, two sets of one name differ, or the sets' limits do.
    """
    sets: dict[str, TrainingSet] = {}
    found: dict[tuple[str, str], TrainingExample] = {}
    for file in files:
        for number, line in _lines(file):
            if isinstance(line, TrainingSet):
                _add_set(sets, line, f"{file}:{number}")
            elif line.set not in sets:
                raise UsageError(f"{file}:{number}: field 'set': the head of {line.set!r} is missing; {_MEND}")
            elif line.form != sets[line.set].form:
                raise UsageError(f"{file}:{number}: field 'form': {line.set!r} has another; {_MEND}")
            elif (line.set, line.id) in found:
                raise UsageError(
                    f"{file}:{number}: field 'id': {line.id!r} of {line.set!r} is there twice; {_MEND}"
                )
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
            raise UsageError(
                f"{file}:{row.line}: field '{fault.field or 'kind'}': {fault.message}; {_MEND}"
            ) from error


def _add_set(sets: dict[str, TrainingSet], head: TrainingSet, place: str) -> None:
    if head.set in sets:
        raise UsageError(
            f"{place}: field 'set': {head.set!r} was read already; export one of the two under another --name"
        )
    first = next(iter(sets.values()), head)
    if head.limits != first.limits:
        raise UsageError(
            f"{place}: field 'limits': {head.set!r} has others than {first.set!r}, and a judge has one set of "
            "them; export both with the same"
        )
    sets[head.set] = head


def _split(sets: dict[str, TrainingSet], examples: Iterable[TrainingExample]) -> Examples:
    """Tell trained from held out; a text that one set trains on is held out by no other."""
    usable = [one for one in examples if one.tags]
    train = tuple(one for one in usable if one.split == TRAIN)
    known = {one.text for one in train}
    held_out = [one for one in usable if one.split == HELD_OUT]
    kept = tuple(one for one in held_out if one.text not in known)
    return Examples(sets=sets, train=train, held_out=kept, repeated=len(held_out) - len(kept))


def line_of(record: BaseModel) -> bytes:
    """Return a record as a line of JSONL."""
    return record.model_dump_json(exclude_defaults=False).encode() + b"\n"


def default_name(location: str) -> str:
    """Return what a store's set is called unless the caller says: the last part of its location, bare."""
    return Path(location.rstrip("/")).stem
