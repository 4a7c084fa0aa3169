"""What a model was fitted on, and with: it travels with the model."""

from pydantic import AwareDatetime, BaseModel, ConfigDict

GROWTH = 1.1
"""Times that history may grow, or shrink, before what was fitted on it is out of date."""


class Fitted(BaseModel):
    """The circumstances of a fit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: AwareDatetime
    vocabulary: str
    """Version hash of the vocabulary then."""
    embedding: str
    """Name of the embedding model, or ``none``."""
    tagged_contents: int
    """How many contents people had tagged."""
    documents: int
    """How many of them the model was fitted on."""
    seed: int
    versions: dict[str, str]
    """Of the libraries that fitted it."""


def outgrown(then: int, now: int) -> bool:
    """Say whether history has changed too much since a fit, by the number of tagged contents."""
    return not then / GROWTH <= now <= then * GROWTH
