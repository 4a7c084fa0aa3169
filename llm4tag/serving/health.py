"""Whether the server can tag now: what is down, and why."""

import asyncio
import importlib.util
import time
from collections.abc import Awaitable, Callable
from typing import Literal

import httpx
from pydantic import BaseModel, ConfigDict

from llm4tag.graphs.context import TagOptions
from llm4tag.graphs.runtime import shared_runtime
from llm4tag.models.local.known_models import LOCAL
from llm4tag.schema import Llm4tagError, Settings

_PROBE = 5.0
"""Seconds that a model's server may take to list its models."""
_FRESH = 2.0
"""Seconds that an answer stands for: probes come often, and from many."""


class Part(BaseModel):
    """How one thing that tagging needs is."""

    model_config = ConfigDict(frozen=True)

    status: Literal["up", "down", "off", "not asked"]
    """``off``: the server was started without it. ``not asked``: asking would cost money."""
    why: str = ""


class Readiness(BaseModel):
    """Whether results come as they were asked for."""

    model_config = ConfigDict(frozen=True)

    ready: bool
    store: Part
    model: Part

    def without_reasons(self) -> "Readiness":
        """Return it for those without a key: reasons name paths and hosts."""
        parts = {name: Part(status=part.status) for name, part in (("store", self.store), ("model", self.model))}
        return self.model_copy(update=parts)


class Health:
    """Asks the store and the model whether they answer; for one event loop.

    Args:
        options: what the server tags with.
    """

    def __init__(self, options: TagOptions) -> None:
        self._options = options
        self._asking = asyncio.Lock()
        self._known: tuple[float, Readiness] | None = None

    async def readiness(self) -> Readiness:
        """Return how things are, asked at most two seconds ago."""
        async with self._asking:
            if self._known is None or time.monotonic() - self._known[0] > _FRESH:
                store, model = await asyncio.gather(_asked(self._store), _asked(self._model))
                ready = "down" not in (store.status, model.status)
                self._known = (time.monotonic(), Readiness(ready=ready, store=store, model=model))
            return self._known[1]

    async def _store(self) -> Part:
        # Without the LLM: a store is no less up because a model cannot be opened.
        runtime = await shared_runtime(self._options.model_copy(update={"use_llm": False}))
        await runtime.store.statistics()
        return Part(status="up")

    async def _model(self) -> Part:
        if not self._options.use_llm:
            return Part(status="off")
        chosen = self._options.settings()
        # Opened by the first run else; the import of LiteLLM alone takes seconds.
        await shared_runtime(self._options)
        if chosen.model.startswith(LOCAL):
            return await asyncio.to_thread(_local, chosen)
        if chosen.api_base is None:
            return Part(status="not asked", why=f"{chosen.model} is its provider's; a question would cost money")
        return await asyncio.to_thread(_remote, chosen)


async def _asked(question: Callable[[], Awaitable[Part]]) -> Part:
    # What goes over a network has a limit of its own.
    try:
        return await question()
    except Llm4tagError as error:
        return Part(status="down", why=str(error))
    except Exception as error:  # whatever it is, the probe gets an answer
        return Part(status="down", why=f"{type(error).__name__}: {error}")


def _local(chosen: Settings) -> Part:
    from llm4tag.models.local.model_files import find_model

    if importlib.util.find_spec("xllamacpp") is None:
        return Part(status="down", why="the package xllamacpp is not installed; `pip install 'llm4tag[local]'`")
    find_model(chosen.model, chosen.cache_dir)
    return Part(status="up")


def _remote(chosen: Settings) -> Part:
    from llm4tag.models.provider import key_to_send
    from llm4tag.schema.text import public_url

    assert chosen.api_base is not None
    where = public_url(chosen.api_base)
    key = key_to_send(chosen.model, chosen.api_base, chosen.api_key)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.get(f"{chosen.api_base.rstrip('/')}/models", headers=headers, timeout=_PROBE)
    except httpx.HTTPError as error:
        return Part(status="down", why=f"{where}: {error or type(error).__name__}; is a server running there?")
    if answer.status_code in (401, 403):
        return Part(status="down", why=f"{where} refuses the key; set LLM4TAG_API_KEY")
    # Not every server lists its models, but what says so is there.
    if answer.status_code >= 500 and answer.status_code != httpx.codes.NOT_IMPLEMENTED:
        return Part(status="down", why=f"{where} answers {answer.status_code}")
    return Part(status="up")
