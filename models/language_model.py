"""The interface of LLMs: a question with its sampling parameters, and the answer to it."""

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
        """Replace lone surrogates, which cannot be sent to a provider."""
        return without_surrogates(value)


class Question(BaseModel):
    """A rendered prompt with its sampling parameters: everything that an answer depends on except the model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages: tuple[Message, ...] = Field(min_length=1)
    max_tokens: int = Field(ge=1)
    temperature: float = Field(default=0.0, ge=0.0)
    seed: int | None = None
    json_schema: dict[str, Any] | None = None
    """Constrains the answer where the provider can do that; the answer must be validated in any case."""
    top_logprobs: int = Field(default=0, ge=0, le=20)
    """How many alternatives of the first token the answer contains; 0: none."""
    adapter: str | None = None
    """sha256 of the adapter that answers; None: the model without an adapter, even where one is loaded."""

    def key(self, identity: str) -> str:
        """Return the cache key of this question to the model with that identity."""
        # Without an adapter the key is the one from before adapters existed, so that older answers are found.
        left_out = {"adapter"} if self.adapter is None else None
        body = json.dumps(self.model_dump(mode="json", exclude=left_out), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(f"{identity}\n{body}".encode()).hexdigest()


class Answer(BaseModel):
    """The model's answer to a question."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    finish_reason: str = ""
    """``stop``, ``length``, ``content_filter``, … in the provider's words."""
    refusal: str = ""
    """The provider's refusal text, where it sends one separately."""
    first_token: dict[str, float] | None = None
    """Log-probabilities of the alternatives of the first token; None where the provider sends none."""
    usage: Usage = Usage()
    """``llm_calls`` is 1; for an answer from the cache it is 0, and ``cached_answers`` is 1."""


class LanguageModel(Protocol):
    """An LLM with one retry layer and the answer cache."""

    @property
    def name(self) -> str:
        """The model's name as configured."""

    @property
    def identity(self) -> str:
        """Everything that an answer depends on except the question: the name, or a local file's sha256."""

    @property
    def adapter(self) -> Adapter | None:
        """The fine-tuned judge that the model answers with where a question names it."""

    @property
    def local(self) -> bool:
        """Whether the model runs on this machine, where one question at a time is fastest."""

    @property
    def limitations(self) -> tuple[str, ...]:
        """Sentences for the user about parameters that were left out because the provider refuses them."""

    async def ask(self, question: Question) -> Answer:
        """Return the cached answer, or send the question.

        Raises:
            ModelNotFoundError: the local model is not on this machine.
            ModelSetupError: the model can never answer in this setup: a refused key, an unknown name.
            ModelError: the model cannot be reached, refuses the request, or failed ``max_attempts`` times.
        """

    async def close(self) -> None:
        """Close connections, and the local server if this process started it; closing twice does no harm."""
