"""What an LLM's answers say once they are read: samples, judgements, ratings."""

from pydantic import BaseModel, ConfigDict


class Sample(BaseModel):
    """One answer of the generator, validated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    asked: tuple[str, ...]
    """Ids of the tags in the list that the question showed."""
    named: tuple[str, ...] = ()
    """Ids of the tags that the answer names, in its order, each once."""
    off_vocabulary: tuple[str, ...] = ()
    """Names that are no tag's label, and no single tag's name or alias."""
    failure: str = ""
    """Why the answer cannot be read: a refusal, cut short, no JSON. Nothing is named then."""


class Judgement(BaseModel):
    """What the LLM answered about one candidate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    p_yes: float | None
    """None where neither a Yes-like nor a No-like token was among the alternatives, or there were none."""
    mass: float | None
    """Probability of Yes-like and No-like tokens together; None where the model gives no log-probabilities."""


class Ratings(BaseModel):
    """One answer's ratings of the candidates that the question showed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    probabilities: dict[str, float | None]
    """Probabilities from 0 to 1 by tag id, one for each tag shown; None where the answer has none that is
    usable."""
    failure: str = ""
    """Why the answer rates none of them; empty where it rates some."""
