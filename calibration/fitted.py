"""What a model was fitted on, and with: it travels with the model."""

from pydantic import AwareDatetime, BaseModel, ConfigDict


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
