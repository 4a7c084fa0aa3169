"""Contents, their assignments and background passages."""

import hashlib
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator


class Provenance(StrEnum):
    """Who assigned a tag."""

    HUMAN = "human"
    MODEL = "model"


def now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


class Assignment(BaseModel):
    """A tag that was given to a content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tag: str = Field(min_length=1)
    provenance: Provenance = Provenance.HUMAN
    confidence: float = Field(default=1.0, ge=0.0, le=1.0)
    time: AwareDatetime = Field(default_factory=now)


class Content(BaseModel):
    """Something to tag: its text and, where it has one, its title."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    text: str
    title: str = ""

    @field_validator("id")
    @classmethod
    def _id_not_blank(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("must not be blank")
        return value

    @property
    def full_text(self) -> str:
        """Title and text as one string, which is embedded and shown to the LLM."""
        return f"{self.title}\n{self.text}" if self.title else self.text

    @property
    def digest(self) -> str:
        """A short hash of title and text, which shows whether a result belongs to the present text."""
        return hashlib.sha256(f"{self.title}\n{self.text}".encode()).hexdigest()[:16]


class TaggedContent(Content):
    """A content with its assignments: one document of history."""

    assignments: tuple[Assignment, ...] = ()


class Passage(BaseModel):
    """A piece of background knowledge (short-term knowledge, paper section 3.2)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    text: str = Field(min_length=1)
    title: str = ""
    source: str = ""
    """The document that it was cut from; all passages of a source are replaced together."""

    @property
    def full_text(self) -> str:
        """Title and text as one string."""
        return f"{self.title}\n{self.text}" if self.title else self.text
