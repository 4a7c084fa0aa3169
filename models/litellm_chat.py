"""A chat model of LiteLLM that answers one question at a time, with one retry layer and without a cache.

Importing this module imports LiteLLM, which takes seconds and reads files: import it in a thread.
"""

import math
import time
from functools import partial
from typing import Any

from pydantic import SecretStr

from llm4tag.models.language_model import Answer, Question
from llm4tag.models.provider import NO_RETRIES, key_to_send, litellm, model_error, with_retries
from llm4tag.schema import ModelSetupError, Usage
from llm4tag.schema.text import without_surrogates

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage  # isort: skip
from langchain_litellm import ChatLiteLLM  # isort: skip  (after models.provider has set LiteLLM up)

_ROLES: dict[str, type[BaseMessage]] = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}

_OPTIONAL = ("response_format", "logprobs", "top_logprobs", "seed", "temperature")
"""Parameters that some providers refuse, and that an answer is possible without."""


class LiteLLMChat:
    """A chat model of LiteLLM.

    Args:
        model: LiteLLM's name of the model.
        api_base: endpoint; None: the provider's own.
        api_key: key; None: the one in the provider's environment variable.
        timeout: seconds that one call may take.
        max_attempts: how often a call is tried, the first time included.
        local_name: what messages call a model on this machine, whose answers cost nothing; None: a provider's.
        adapter: sha256 of the adapter that the model's server has loaded as number 0; None: it has none.
    """

    def __init__(
        self,
        model: str,
        *,
        api_base: str | None,
        api_key: SecretStr | None,
        timeout: float,
        max_attempts: int,
        local_name: str | None = None,
        adapter: str | None = None,
    ) -> None:
        self._model = model
        self._api_base = api_base
        self._api_key = api_key
        self._max_attempts = max_attempts
        self._timeout = timeout
        self._label = local_name or model
        self._adapter = adapter
        self._free = local_name is not None
        self._refused: set[str] = set(_OPTIONAL) - _supported(model)
        self._sent: set[str] = set()
        self._chat = ChatLiteLLM(
            model=model,
            api_base=api_base,
            api_key=key_to_send(model, api_base, api_key),
            request_timeout=2 * timeout,  # with_retries enforces the limit
            max_retries=1,  # LangChain counts the first call too
            model_kwargs=dict(NO_RETRIES),
            cache=False,
        )

    @property
    def limitations(self) -> tuple[str, ...]:
        """Sentences for the user about parameters that were left out because the provider refuses them."""
        return tuple(
            f"{self._label} does not take {name}: the question was sent without it"
            for name in _OPTIONAL
            if name in self._refused & self._sent
        )

    async def ask(self, question: Question) -> Answer:
        """Send the question; it is sent again only after transient errors.

        Raises:
            ModelSetupError: the question names an adapter that the server does not have.
            ModelError: the provider cannot be reached, or refuses the request.
        """
        messages = [_ROLES[message.role](content=message.content) for message in question.messages]
        wanted = _parameters(question) | self._with_adapter(question)
        started = time.monotonic()
        while True:
            parameters = self._without_refused(wanted)
            try:
                call = partial(self._generate, messages, parameters)
                result = await with_retries(call, self._max_attempts, self._timeout)
                break
            except Exception as error:
                refused = _refused_parameters(error, parameters)
                if not refused:
                    # From None, because the original error may quote the key.
                    raise model_error(error, self._label, self._api_base, self._api_key) from None
                self._refused |= refused
        return self._answer(result, time.monotonic() - started)

    def _with_adapter(self, question: Question) -> dict[str, Any]:
        """Return parameters that turn the server's adapter on or off; without them it would be on."""
        if question.adapter not in (None, self._adapter):
            raise ModelSetupError(
                f"the model has no adapter {question.adapter}",
                where=self._label,
                remedy="name the adapter's folder as {adapter}",
            )
        if self._adapter is None:
            return {}
        return {"extra_body": {"lora": [{"id": 0, "scale": 0.0 if question.adapter is None else 1.0}]}}

    def _without_refused(self, wanted: dict[str, Any]) -> dict[str, Any]:
        self._sent |= wanted.keys()
        return {name: value for name, value in wanted.items() if name not in self._refused}

    async def _generate(self, messages: list[BaseMessage], parameters: dict[str, Any]) -> Any:
        result = await self._chat.agenerate([messages], **parameters)
        return result.generations[0][0]

    def _answer(self, generation: Any, seconds: float) -> Answer:
        message: AIMessage = generation.message
        counts = message.usage_metadata
        specific = message.additional_kwargs.get("provider_specific_fields") or {}
        content = message.content
        return Answer(
            text=without_surrogates(content if isinstance(content, str) else message.text),
            finish_reason=generation.generation_info.get("finish_reason") or "",
            refusal=without_surrogates(specific.get("refusal") or ""),
            first_token=_first_token(generation.generation_info.get("logprobs")),
            usage=Usage(
                llm_calls=1,
                prompt_tokens=counts["input_tokens"] if counts else 0,
                completion_tokens=counts["output_tokens"] if counts else 0,
                cached_prompt_tokens=(counts.get("input_token_details") or {}).get("cache_read", 0)
                if counts
                else 0,
                seconds=seconds,
                cost=0.0 if self._free else message.response_metadata.get("response_cost") or None,
            ),
        )


def _supported(model: str) -> set[str]:
    """Return the parameters that the model takes according to LiteLLM; all of them where it does not know."""
    try:
        return set(litellm.get_supported_openai_params(model) or _OPTIONAL)
    except Exception:
        return set(_OPTIONAL)


def _parameters(question: Question) -> dict[str, Any]:
    parameters: dict[str, Any] = {"max_tokens": question.max_tokens, "temperature": question.temperature}
    if question.seed is not None:
        parameters["seed"] = question.seed
    if question.top_logprobs:
        parameters |= {"logprobs": True, "top_logprobs": question.top_logprobs}
    if question.json_schema is not None:
        schema = {"name": "answer", "strict": True, "schema": question.json_schema}
        parameters["response_format"] = {"type": "json_schema", "json_schema": schema}
    return parameters


def _refused_parameters(error: Exception, sent: dict[str, Any]) -> set[str]:
    """Return the optional parameters that the provider's error names; empty where it is about something else."""
    if not isinstance(error, litellm.BadRequestError | litellm.UnprocessableEntityError):
        return set()
    if isinstance(error, litellm.ContextWindowExceededError | litellm.ContentPolicyViolationError):
        return set()
    words = str(error)
    named = {name for name in _OPTIONAL if name in sent and name in words}
    if "json_schema" in words and "response_format" in sent:
        named.add("response_format")
    # These two are useless without each other.
    return named | ({"logprobs", "top_logprobs"} & sent.keys() if named & {"logprobs", "top_logprobs"} else set())


def _first_token(logprobs: Any) -> dict[str, float] | None:
    """Return the alternatives of the first token with their log-probabilities; None where there are none."""
    tokens = getattr(logprobs, "content", None) or []
    if not tokens:
        return None
    first = tokens[0]
    found: dict[str, float] = {}
    for alternative in [*(first.top_logprobs or []), first]:
        # JSON has no infinity, and a probability of zero adds nothing.
        if alternative.logprob is not None and math.isfinite(alternative.logprob):
            # Two tokens may be the same text once decoded: the likelier one counts.
            token = without_surrogates(alternative.token)
            found[token] = max(alternative.logprob, found.get(token, -math.inf))
    return found or None
