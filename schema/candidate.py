"""Candidates with their evidence and signals.

Scores of different paths are not comparable: ``score`` is relative within its path (the best hit of a path has 1),
and the raw figures are fields of their own.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from llm4tag.schema.content import Provenance


class Path(StrEnum):
    """How a tag became a candidate; what the LLM says about it is in its ``Signals``."""

    C2T = "c2t"
    """Content to tag: the text resembles the tag's name, alias or description (paper section 3.1)."""
    C2C2T = "c2c2t"
    """Content to similar content to its tags (paper section 3.1)."""
    LINEAR = "linear"
    """A linear one-vs-rest scorer fitted on history. Our extension, not in the paper."""
    T2T = "t2t"
    """Tag to tag: co-occurrence, parents and children. Our extension, not in the paper."""


class _Evidence(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    score: float
    round: int = 1
    """The recall round that found it, from 1."""


class C2TEvidence(_Evidence):
    """The content resembles the tag itself."""

    path: Literal[Path.C2T] = Path.C2T
    unit: str = ""
    """The name or alias that matched by words, empty when only the vector matched."""
    unit_kind: Literal["name", "alias", ""] = ""
    verbatim: bool = False
    """Whether the unit occurs in the content word for word."""
    coverage: float | None = None
    """How much of the best covered name or alias occurs within four words of the text, from 0 to 1; None where
    this was not computed."""
    part: str = ""
    """The part of the content whose vector came nearest, empty for the whole."""
    keyword_score: float | None = None
    """Raw BM25 of the best unit."""
    description_score: float | None = None
    """Raw BM25 of name, aliases and description together."""
    vector_score: float | None = None
    """Raw cosine of the nearest part, the whole included."""
    whole_score: float | None = None
    """Raw cosine of the whole content."""


class Neighbour(BaseModel):
    """A similar content that carries the tag."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    similarity: float
    """Fused hybrid score, relative to the most similar content."""
    provenance: Provenance
    weight: float
    """Its share of all similar contents' weight."""


class C2C2TEvidence(_Evidence):
    """Similar contents carry the tag."""

    path: Literal[Path.C2C2T] = Path.C2C2T
    support: int
    """The number of similar contents that carry the tag, of ``looked_at``."""
    looked_at: int
    human_support: int
    raw: float
    """Weight of the similar contents that carry the tag, as a share of the weight of all."""
    nearest: float = 0.0
    """The same over the nearest half, where similarity weighs more."""
    by_words: float = 0.0
    """The same over those nearest by words alone."""
    by_vector: float | None = None
    """The same over those nearest by vector alone; None where there are no vectors."""
    keyword_score: float | None = None
    """Raw BM25 of the neighbour with the tag that is nearest by words."""
    vector_score: float | None = None
    """Mean-centred cosine of the one that is nearest by vector."""
    neighbours: tuple[Neighbour, ...] = ()
    """The strongest few."""


class LinearEvidence(_Evidence):
    """The linear scorer speaks for the tag."""

    path: Literal[Path.LINEAR] = Path.LINEAR
    raw: float
    """About 1 where it is sure of the tag, about 0 where sure of the opposite."""
    titled: float = 0.0
    """As ``raw``, where the first line and how it begins count once more."""
    company: float = 0.0
    """How much the best tags speak for this one: the sum of their scores times P(this tag | theirs)."""
    closest: float = 0.0
    """The largest part of that sum."""
    wide: float | None = None
    """As ``raw``, over the contents that are near by words and by vector; None without vectors."""
    nearness: float = 0.0
    """How alike the nearest content of history is, from 0 to 1; the same for all tags."""


class TagLink(BaseModel):
    """A link of the tag graph that was followed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tag: str
    kind: Literal["cooccurrence", "parent", "child"]
    weight: float


class T2TEvidence(_Evidence):
    """Tags that go with the candidates found so far."""

    path: Literal[Path.T2T] = Path.T2T
    links: tuple[TagLink, ...]


Evidence = Annotated[C2TEvidence | C2C2TEvidence | LinearEvidence | T2TEvidence, Field(discriminator="path")]


def neighbours_in(evidence: Iterable[Evidence]) -> list[str]:
    """Return the ids of all similar contents that evidence names, each once."""
    found = (item for item in evidence if isinstance(item, C2C2TEvidence))
    return list(dict.fromkeys(neighbour.id for item in found for neighbour in item.neighbours))


class Candidate(BaseModel):
    """A tag that recall proposes for a content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tag: str
    """The tag's id."""
    score: float
    """The fusion's probability, in [0, 1]; 0 until all paths are fused."""
    recall: float | None = Field(default=None, ge=0.0, le=1.0)
    """Probability that the tag is right by recall alone; None until all paths are fused."""
    evidence: tuple[Evidence, ...]

    def path(self, path: Path) -> "Evidence | None":
        """Return the evidence of one path, or None."""
        return next((item for item in self.evidence if item.path == path), None)


class Signals(BaseModel):
    """The raw signals that a candidate's confidence is made of. None: not asked, or no usable answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recall: float | None = Field(default=None, ge=0.0, le=1.0)
    """Probability by recall alone, which the fusion makes of the evidence."""
    agreement: float | None = Field(default=None, ge=0.0, le=1.0)
    """Share of the samples that named the tag, of those whose list had it."""
    samples: int = Field(default=0, ge=0)
    """The number of samples whose list had the tag."""
    p_yes: float | None = Field(default=None, ge=0.0, le=1.0)
    """The judgement: probability of Yes-like first tokens, as a share of Yes-like and No-like (paper section
    3.3)."""
    yes_no_mass: float | None = Field(default=None, ge=0.0, le=1.0)
    """Probability of Yes-like and No-like tokens together; 0 where neither was seen."""
    rating: float | None = Field(default=None, ge=0.0, le=1.0)
    """The rating: a probability in words, given for all candidates at once."""

    @property
    def of_llm(self) -> bool:
        """Whether the LLM was asked about the candidate."""
        return any(value is not None for value in (self.agreement, self.p_yes, self.yes_no_mass, self.rating))
