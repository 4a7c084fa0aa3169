"""The opening of a local model: its identity at once, its file and its server with the first question."""

import asyncio
from dataclasses import dataclass
from weakref import WeakValueDictionary

from llm4tag.models.answer_cache import AnswerCache
from llm4tag.models.cached_llm import CachedModel
from llm4tag.models.event_loops import on_provider_loop
from llm4tag.models.judge_adapter import Adapter
from llm4tag.models.language_model import Answer, Question
from llm4tag.models.litellm_chat import LiteLLMChat
from llm4tag.models.local.adapter_conversion import with_adapter
from llm4tag.models.local.model_files import ModelFile, find_model, model_sha256
from llm4tag.models.local.server_process import Server, acquire_server, release_server
from llm4tag.models.provider import warm_up
from llm4tag.models.turns import Turns
from llm4tag.schema import Settings


async def open_local(settings: Settings, adapter: Adapter | None = None) -> CachedModel:
    """Open ``local/NAME`` or ``local/PATH.gguf`` without starting it: cached answers need no file and no server.

    Raises:
        ModelNotFoundError: no model is known by that name, or there is no such file.
        ModelError: the file cannot be read.
    """
    sha256 = await asyncio.to_thread(model_sha256, settings.model, settings.cache_dir)
    chat = LocalChat(settings, adapter)
    identity = f"local@sha256:{sha256}"
    cache = AnswerCache(settings.cache_dir, identity) if settings.answer_cache else None
    return CachedModel(settings.model, identity, chat, cache, local=True, adapter=adapter, release=chat.close)


# All models of this process that one server answers take turns at it: together they would exceed its slots.
_turns: WeakValueDictionary[str, Turns] = WeakValueDictionary()


@dataclass(frozen=True)
class _Running:
    """A server that runs the model, and its client."""

    model: ModelFile
    server: Server
    chat: LiteLLMChat
    turns: Turns


class LocalChat:
    """Sends a local model one question at a time; the first question starts the server.

    All methods except ``close`` must be called on the providers' loop.

    Args:
        settings: the settings that name the model.
        adapter: the fine-tuned judge that the server loads in addition; None: no adapter.
    """

    def __init__(self, settings: Settings, adapter: Adapter | None = None) -> None:
        self._settings = settings
        self._adapter = adapter
        self._starting: asyncio.Task[_Running] | None = None

    @property
    def limitations(self) -> tuple[str, ...]:
        """Sentences for the user about parameters that were left out because the server refuses them."""
        running = self._running
        return running.chat.limitations if running else ()

    async def ask(self, question: Question) -> Answer:
        """Send the question when its turn has come.

        Raises:
            ModelNotFoundError: the file, or the package that runs it, is not on this machine.
            ModelSetupError: the file is damaged, or the server does not start.
            ModelError: the server fails.
        """
        running = await self._started()
        async with running.turns.turn("\n".join(message.content for message in question.messages)):
            return await running.chat.ask(question)

    async def _started(self) -> _Running:
        if self._starting is None or (self._starting.done() and self._running is None):
            self._starting = asyncio.ensure_future(asyncio.to_thread(_start, self._settings, self._adapter))
        # Shielded, because a question that is given up must not stop the start that other questions wait for.
        return await asyncio.shield(self._starting)

    @property
    def _running(self) -> _Running | None:
        task = self._starting
        if task is None or not task.done() or task.cancelled() or task.exception() is not None:
            return None
        return task.result()

    async def close(self) -> None:
        """Release the server if one was started; wait first for a start that is not finished."""
        await on_provider_loop(self._close())

    async def _close(self) -> None:
        if self._starting is not None:
            await asyncio.wait([self._starting])
            if running := self._running:
                await asyncio.to_thread(release_server, running.model, running.server)
            self._starting = None


def _start(settings: Settings, adapter: Adapter | None) -> _Running:
    model = with_adapter(find_model(settings.model, settings.cache_dir), adapter, settings.cache_dir)
    warm_up()
    server = acquire_server(model, settings.cache_dir)
    chat = LiteLLMChat(
        "openai/local",
        api_base=f"{server.address}/v1",
        api_key=server.key,
        timeout=settings.timeout,
        max_attempts=settings.max_attempts,
        local_name=settings.model,
        adapter=adapter.sha256 if adapter else None,
    )
    return _Running(model, server, chat, _turns.setdefault(server.address, Turns(server.slots)))
