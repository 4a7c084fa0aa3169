"""The raw signals of one candidate: what its confidence is made of."""

from pydantic import BaseModel, ConfigDict, Field


class Signals(BaseModel):
    """What recall and the LLM said of a candidate, uncombined. None: not asked, or no usable answer; never 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recall: float | None = Field(default=None, ge=0.0, le=1.0)
    """Recall alone: the fitted fusion's probability, or what fixed weights make of the paths' evidence."""
    agreement: float | None = Field(default=None, ge=0.0, le=1.0)
    """Share of the samples that named the tag, of those that were asked about it."""
    samples: int = Field(default=0, ge=0)
    """How many samples were asked about it."""
    p_yes: float | None = Field(default=None, ge=0.0, le=1.0)
    """Mass of Yes-like first tokens over Yes-like plus No-like (paper section 3.3)."""
    yes_no_mass: float | None = Field(default=None, ge=0.0, le=1.0)
    """How much probability lay on Yes-like and No-like tokens together; 0 where neither was seen."""
    rating: float | None = Field(default=None, ge=0.0, le=1.0)
    """The probability that the LLM put into words when it was shown all candidates at once."""

    @property
    def of_llm(self) -> bool:
        """Whether the LLM was asked about the candidate at all."""
        return any(value is not None for value in (self.agreement, self.p_yes, self.yes_no_mass, self.rating))
