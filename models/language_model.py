"""What generation and calibration ask of an LLM: one question, one answer."""

import hashlib
import json
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, field_validator

from llm4tag.models.judge_adapter import Adapter
from llm4tag.schema import Usage
from llm4tag.schema.text import without_surrogates


class Message(BaseModel):
    """One chat message."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: str

    @field_validator("content")
    @classmethod
    def _encodable(cls, value: str) -> str:
        """Replace lone surrogates, which no provider could be sent."""
        return without_surrogates(value)


class Question(BaseModel):
    """A rendered prompt with its sampling parameters: all that an answer depends on, besides the model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages: tuple[Message, ...] = Field(min_length=1)
    max_tokens: int = Field(ge=1)
    temperature: float = Field(default=0.0, ge=0.0)
    seed: int | None = None
    json_schema: dict[str, Any] | None = None
    """Constrains the answer where the provider can; always validate what comes back."""
    top_logprobs: int = Field(default=0, ge=0, le=20)
    """How many alternatives of the first token to return; 0: none."""
    adapter: str | None = None
    """sha256 of the adapter that answers; None: the model as it comes, though an adapter be loaded."""

    def key(self, identity: str) -> str:
        """Return the cache key of this question to the model with that identity."""
        # Without an adapter the key is what it was before there were any: kept answers stay good.
        left_out = {"adapter"} if self.adapter is None else None
        body = json.dumps(self.model_dump(mode="json", exclude=left_out), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(f"{identity}\n{body}".encode()).hexdigest()


class Answer(BaseModel):
    """What the model said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    finish_reason: str = ""
    """``stop``, ``length``, ``content_filter``, … as the provider says."""
    refusal: str = ""
    """The provider's refusal text, where it sends one apart."""
    first_token: dict[str, float] | None = None
    """Log-probabilities of the alternatives of the first token; None where the provider gives none."""
    usage: Usage = Usage()
    """``llm_calls`` is 1, or 0 with ``cached_answers`` 1 when replayed from the cache."""


class LanguageModel(Protocol):
    """An LLM behind one retry layer and the answer cache."""

    @property
    def name(self) -> str:
        """The model's name as configured."""

    @property
    def identity(self) -> str:
        """What answers depend on: name, or for a local model its file's sha256; an adapter is in the question."""

    @property
    def adapter(self) -> Adapter | None:
        """The fine-tuned judge that it can answer with."""

    @property
    def local(self) -> bool:
        """Whether it runs on this machine, one question at a time being best."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was asked for and left out because the provider does not take it, for the user to read."""

    async def ask(self, question: Question) -> Answer:
        """Ask, or replay the cached answer.

        Raises:
            ModelNotFoundError: the local model is not on this machine.
            ModelSetupError: the model can never answer so: a key that is refused, a name that is unknown.
            ModelError: the model cannot be reached, refuses the request, or failed ``max_attempts`` times.
        """

    async def close(self) -> None:
        """Release connections, and the local server if this process started it; idempotent."""
