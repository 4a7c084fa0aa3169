"""LLMs by name: opening one, on this machine or at a provider, and estimating what its answers will cost."""

import asyncio
import importlib

from llm4tag.models.answer_cache import AnswerCache
from llm4tag.models.cached_llm import CachedModel
from llm4tag.models.judge_adapter import Adapter, open_adapter
from llm4tag.schema import Settings
from llm4tag.schema.settings import LOCAL
from llm4tag.schema.text import public_url


async def open_llm(settings: Settings) -> CachedModel:
    """Open the model that the settings name; the first question without a cached answer starts a local one.

    Raises:
        UsageError: the model cannot take the adapter that the settings name.
        ModelNotFoundError: no local model is known by that name, or there is no such file.
        ModelError: the local model's file cannot be read.
    """
    adapter = await asyncio.to_thread(open_adapter, settings)
    # Both ways import LiteLLM, which takes seconds and reads files: hence the threads.
    if settings.model.startswith(LOCAL):
        opening = await asyncio.to_thread(importlib.import_module, "llm4tag.models.local.local_model")
        model: CachedModel = await opening.open_local(settings, adapter)
        return model
    return await asyncio.to_thread(_open_remote, settings, adapter)


def _open_remote(settings: Settings, adapter: Adapter | None) -> CachedModel:
    from llm4tag.models.litellm_chat import LiteLLMChat
    from llm4tag.models.provider import warm_up

    warm_up()
    chat = LiteLLMChat(
        settings.model,
        api_base=settings.api_base,
        api_key=settings.api_key,
        timeout=settings.timeout,
        max_attempts=settings.max_attempts,
    )
    identity = f"{settings.model}@{public_url(settings.api_base)}" if settings.api_base else settings.model
    cache = AnswerCache(settings.cache_dir, identity) if settings.answer_cache else None
    return CachedModel(settings.model, identity, chat, cache, adapter=adapter)


def count_tokens(text: str) -> int:
    """Estimate how many tokens a text has, without the model's tokenizer; often 20 % off.

    The estimate is one token for four characters, and one for each character of Chinese, Japanese and Korean.
    """
    wide = sum(character > "\u2e7f" for character in text)
    return wide + -(-(len(text) - wide) // 4)


def estimate_cost(model: str, prompt_tokens: int, completion_tokens: int) -> float | None:
    """Return the price of tokens in US dollars: 0 for a local model, None where the model's price is unknown.

    It imports LiteLLM for its price list, which takes seconds: call it in a thread.
    """
    if model.startswith(LOCAL):
        return 0.0
    from llm4tag.models.provider import litellm

    try:
        prompt, completion = litellm.cost_per_token(
            model=model, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens
        )
    except Exception:  # LiteLLM raises a class of its own for an unlisted model, others for an unknown provider
        return None
    return float(prompt + completion) or None
