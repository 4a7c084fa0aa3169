"""Whether the server can tag now; if not, what is down and why."""

import asyncio
import importlib.util
import time
from collections.abc import Awaitable, Callable
from typing import Literal

import httpx
from pydantic import BaseModel, ConfigDict

from llm4tag.graphs.context import shared_runtime
from llm4tag.schema import Llm4tagError, Settings
from llm4tag.schema.errors import Step
from llm4tag.schema.options import TagOptions
from llm4tag.schema.settings import LOCAL

_PROBE = 5.0
"""Seconds that a model's server may take to list its models."""
_FRESH = 2.0
"""Seconds for which an answer is used again, as probes come often."""


class PartHealth(BaseModel):
    """Whether one part of the server, the store or the model, works."""

    model_config = ConfigDict(frozen=True)

    status: Literal["up", "down", "off", "not asked"]
    """``off``: the server was started without it. ``not asked``: a request would cost money."""
    why: str = ""


class Readiness(BaseModel):
    """Whether results will be complete, and how each part is."""

    model_config = ConfigDict(frozen=True)

    ready: bool
    store: PartHealth
    model: PartHealth

    def without_reasons(self) -> "Readiness":
        """Return it for callers without a key: reasons name paths and hosts."""
        parts = {
            name: PartHealth(status=part.status) for name, part in (("store", self.store), ("model", self.model))
        }
        return self.model_copy(update=parts)


class Health:
    """Checks whether the store and the model answer; belongs to one event loop.

    Args:
        options: the options that the server tags with.
    """

    def __init__(self, options: TagOptions) -> None:
        self._options = options
        self._checking = asyncio.Lock()
        self._known: tuple[float, Readiness] | None = None

    async def readiness(self) -> Readiness:
        """Return the state of all parts, checked at most two seconds ago."""
        async with self._checking:
            if self._known is None or time.monotonic() - self._known[0] > _FRESH:
                store, model = await asyncio.gather(_state_of(self._store), _state_of(self._model))
                ready = "down" not in (store.status, model.status)
                self._known = (time.monotonic(), Readiness(ready=ready, store=store, model=model))
            return self._known[1]

    async def _store(self) -> PartHealth:
        # Without the LLM: a store may be up though the model cannot be opened.
        runtime = await shared_runtime(self._options.model_copy(update={"use_llm": False}))
        await runtime.store.statistics()
        return PartHealth(status="up")

    async def _model(self) -> PartHealth:
        if not self._options.use_llm:
            return PartHealth(status="off")
        # Opened here rather than by the first run, as the import of LiteLLM alone takes seconds.
        chosen = (await shared_runtime(self._options)).settings
        if chosen.model.startswith(LOCAL):
            return await asyncio.to_thread(_local, chosen)
        if chosen.api_base is None:
            return PartHealth(
                status="not asked", why=f"{chosen.model} is a provider's; a request would cost money"
            )
        return await asyncio.to_thread(_remote, chosen)


async def _state_of(check: Callable[[], Awaitable[PartHealth]]) -> PartHealth:
    # No time limit is needed: what goes over a network has its own.
    try:
        return await check()
    except Llm4tagError as error:
        return PartHealth(status="down", why=str(error))
    except Exception as error:  # the probe gets an answer, whatever it is
        return PartHealth(status="down", why=f"{type(error).__name__}: {error}")


def _local(chosen: Settings) -> PartHealth:
    from llm4tag.models.local.model_files import find_model

    if importlib.util.find_spec("xllamacpp") is None:
        return PartHealth(status="down", why=f"the package xllamacpp is not installed; {Step.INSTALL_LOCAL}")
    find_model(chosen.model, chosen.cache_dir)
    return PartHealth(status="up")


def _remote(chosen: Settings) -> PartHealth:
    from llm4tag.models.provider import key_to_send
    from llm4tag.schema.text import public_url

    assert chosen.api_base is not None
    where = public_url(chosen.api_base)
    key = key_to_send(chosen.model, chosen.api_base, chosen.api_key)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.get(f"{chosen.api_base.rstrip('/')}/models", headers=headers, timeout=_PROBE)
    except httpx.HTTPError as error:
        return PartHealth(
            status="down", why=f"{where}: {error or type(error).__name__}; is a server running there?"
        )
    if answer.status_code in (401, 403):
        return PartHealth(status="down", why=f"{where} refuses the key; set LLM4TAG_API_KEY")
    # Not every server lists its models, but one that answers so is up.
    if answer.status_code >= 500 and answer.status_code != httpx.codes.NOT_IMPLEMENTED:
        return PartHealth(status="down", why=f"{where} answers {answer.status_code}")
    return PartHealth(status="up")
