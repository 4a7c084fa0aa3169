"""What goes into and out of a whole store: the records of an export, and the report of a write."""

from pydantic import BaseModel, ConfigDict

from llm4tag.schema import Passage, Tag, TaggedContent


class Mark(BaseModel):
    """A small fact that ingest saves in a store, such as the hash of a file it has read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    value: str


class Artifact(BaseModel):
    """Something that was fitted on the store and is saved in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    data: str
    """Its bytes as base64."""


class Record(BaseModel):
    """One line of an export: the head, or exactly one object, mark or artifact."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedding: str | None = None
    """Name of the embedding model of all vectors; only in the head, which is the first record."""
    centre: str | None = None
    """The frozen centre of content vectors, as ``vector``; only in the head."""
    tag: Tag | None = None
    content: TaggedContent | None = None
    passage: Passage | None = None
    mark: Mark | None = None
    artifact: Artifact | None = None
    vector: str | None = None
    """The object's vector: base64 of little-endian float32."""


class Refused(BaseModel):
    """An object that a server did not accept although it accepted others; it is not stored as given."""

    model_config = ConfigDict(frozen=True)

    id: str
    reason: str


class Writing(BaseModel):
    """The report of an upsert: an object that was there with the same fields is unchanged and not written."""

    model_config = ConfigDict(frozen=True)

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: tuple[Refused, ...] = ()
    """Objects that are counted in none of the others; the caller must report them to the user."""

    def __add__(self, other: "Writing") -> "Writing":
        """Return the sum of two reports."""
        return Writing(
            added=self.added + other.added,
            changed=self.changed + other.changed,
            unchanged=self.unchanged + other.unchanged,
            refused=self.refused + other.refused,
        )
