"""LLMs by name: one that runs on this machine, or a provider's, behind the answer cache."""

import asyncio
import importlib

from llm4tag.models.answer_cache import AnswerCache
from llm4tag.models.cached_llm import CachedModel
from llm4tag.models.cost import LOCAL
from llm4tag.models.judge_adapter import Adapter, open_adapter
from llm4tag.schema import Settings


async def open_llm(settings: Settings) -> CachedModel:
    """Open the model that the settings name; a local one is started by the first question without a kept answer.

    Raises:
        UsageError: the model cannot take the adapter that the settings name.
        ModelNotFoundError: no local model is known by that name, or there is no such file.
        ModelError: the local model's file cannot be read.
    """
    adapter = await asyncio.to_thread(open_adapter, settings)
    # Both import LiteLLM, which takes seconds and reads files.
    if settings.model.startswith(LOCAL):
        opening = await asyncio.to_thread(importlib.import_module, "llm4tag.models.local.local_model")
        model: CachedModel = await opening.open_local(settings, adapter)
        return model
    return await asyncio.to_thread(_open_remote, settings, adapter)


def _open_remote(settings: Settings, adapter: Adapter | None) -> CachedModel:
    from llm4tag.models.litellm_chat import LiteLLMChat
    from llm4tag.models.provider import warm_up
    from llm4tag.models.urls import public_url

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
