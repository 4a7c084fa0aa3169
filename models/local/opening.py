"""Opening a local model: its file, a server that runs it, ChatLiteLLM in front."""

import asyncio

from models.answers import AnswerCache
from models.language_model import CachedModel
from models.litellm_chat import LiteLLMChat
from models.local.files import ModelFile, find_model
from models.local.process import Server, acquire_server, release_server
from models.provider import warm_up
from models.turns import Turns
from schema import Settings


async def open_local(settings: Settings) -> CachedModel:
    """Open ``local/NAME`` or ``local/PATH.gguf``; a server is started unless one with this model is running.

    Raises:
        ModelNotFoundError: the file or the package that runs it is not on this machine.
        ModelError: the file is damaged, or the server does not start.
    """
    model, server, chat = await asyncio.to_thread(_open, settings)

    async def release() -> None:
        await asyncio.to_thread(release_server, model, server)

    identity = f"local@sha256:{model.sha256}"
    cache = AnswerCache(settings.cache_dir, identity) if settings.answer_cache else None
    return CachedModel(settings.model, identity, chat, cache, Turns(server.slots), release)


def _open(settings: Settings) -> tuple[ModelFile, Server, LiteLLMChat]:
    model = find_model(settings.model, settings.cache_dir)
    warm_up()
    server = acquire_server(model, settings.cache_dir)
    chat = LiteLLMChat(
        "openai/local",
        api_base=f"{server.address}/v1",
        api_key=server.key,
        timeout=settings.timeout,
        max_attempts=settings.max_attempts,
        local_name=settings.model,
    )
    return model, server, chat
