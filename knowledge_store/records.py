"""What an export holds, a line each."""

from pydantic import BaseModel, ConfigDict

from llm4tag.schema import Passage, Tag, TaggedContent


class Mark(BaseModel):
    """A small fact that ingest keeps: what it has read already."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    value: str


class Artifact(BaseModel):
    """Something fitted on the store and kept in it, in an export: its bytes as base64."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    data: str


class Record(BaseModel):
    """One line of an export: exactly one object with its vector (base64 of little-endian float32)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedding: str | None = None
    """The first record of an export names the model of all vectors."""
    centre: str | None = None
    """In the first record: the frozen centre of content vectors."""
    tag: Tag | None = None
    content: TaggedContent | None = None
    passage: Passage | None = None
    mark: Mark | None = None
    artifact: Artifact | None = None
    vector: str | None = None
