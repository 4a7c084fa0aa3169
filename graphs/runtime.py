"""The runtime of tagging: the open store and LLM, the profile and the closed settings that nodes work with.

A ``Tagger`` opens a runtime of its own and passes it as the graph's context. A caller that passes options alone,
as LangGraph's server does, gets one of the shared runtimes of its event loop.
"""

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from langgraph.runtime import Runtime

from llm4tag.calibration.calibrator import Calibrator
from llm4tag.graphs.context import TagOptions
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.knowledge_store.stores import open_store
from llm4tag.models.language_model import LanguageModel
from llm4tag.models.llm_registry import open_llm
from llm4tag.prompts import prompt_hashes, read_profile
from llm4tag.schema import Settings, UsageError
from llm4tag.schema.options import resolved
from llm4tag.schema.profile import Profile
from llm4tag.tools.artifacts import StoreReader

T = TypeVar("T")
MOST_SHARED = 64
"""Runtimes of different options that one event loop shares; their stores and LLMs are opened once."""


@dataclass(frozen=True)
class TaggingRuntime:
    """What nodes work with, for one caller's options."""

    options: TagOptions
    settings: Settings
    """What was chosen over the environment over the defaults, resolved once."""
    profile: Profile
    reader: StoreReader
    llm: LanguageModel | None
    """None: tags come from recall alone."""
    owns_llm: bool = True
    """Whether closing the runtime closes the LLM."""

    @property
    def store(self) -> KnowledgeStore:
        """The open store."""
        return self.reader.store

    @property
    def tuned(self) -> bool:
        """Whether a fine-tuned judge is asked."""
        return self.llm is not None and self.llm.adapter is not None

    @property
    def target_error(self) -> float | None:
        """The most wrong tags among the accepted ones, as a share; None: confidences decide by thresholds."""
        return None if self.options.uncalibrated else self.settings.max_error

    def prompts(self) -> dict[str, str]:
        """Return the content hash of each prompt that the LLM is asked with, by name."""
        if self.llm is None:
            return {}
        tuned = {} if self.llm.adapter is None else {"judge": self.llm.adapter.form_hash}
        return prompt_hashes(self.profile) | tuned

    async def calibrator(self) -> Calibrator | None:
        """Return the store's present calibrator for such results; None where there is none."""
        return await self.reader.calibrator(self.llm is not None)

    async def aclose(self) -> None:
        """Close the store and the LLM; only whoever opened the runtime may."""
        await self.store.close()
        if self.llm is not None and self.owns_llm:
            await self.llm.close()


TagContext: TypeAlias = TaggingRuntime | TagOptions
"""The graph's context: a runtime that the caller owns, or options for which a shared one is opened."""


async def open_runtime(options: TagOptions, *, llm: LanguageModel | None = None) -> TaggingRuntime:
    """Open the store and, unless recall alone is wanted, the LLM that the options name.

    Args:
        options: what the caller chose.
        llm: an open model to ask in place of the one that the options name; closing the runtime leaves it open.

    Raises:
        UsageError: no store is named, there is no such profile, or the model cannot take the adapter.
        StoreError: the store cannot be opened.
        ModelNotFoundError: no local model has that name, or there is no such file.
    """
    settings = resolved(options)
    profile = await _profile(settings)
    store = await _store(settings)
    try:
        if not options.use_llm:
            return TaggingRuntime(options, settings, profile, StoreReader(store), None)
        return TaggingRuntime(
            options, settings, profile, StoreReader(store), llm or await open_llm(settings), owns_llm=llm is None
        )
    except BaseException:
        await store.close()
        raise


async def _profile(settings: Settings) -> Profile:
    # Profile and templates are read from files, so not on the event loop.
    profile = await asyncio.to_thread(read_profile, settings.profile)
    await asyncio.to_thread(prompt_hashes, profile)
    return profile


async def _store(settings: Settings) -> KnowledgeStore:
    if settings.store is None:
        raise UsageError(
            "no store is given", option="store", remedy="give {store}, or set the variable LLM4TAG_STORE"
        )
    return await open_store(settings.store, embedding=settings.embedding, cache_dir=settings.cache_dir)


async def runtime_of(run: Runtime[TagContext]) -> TaggingRuntime:
    """Return the runtime of a run of the graph: the caller's own, or the shared one for the caller's options.

    Raises:
        UsageError, StoreError, ModelNotFoundError: as ``open_runtime``.
    """
    context = run.context
    return context if isinstance(context, TaggingRuntime) else await shared_runtime(context or TagOptions())


def options_of(run: Runtime[TagContext]) -> TagOptions:
    """Return the options of a run of the graph; a caller in the same process may give none."""
    context = run.context
    return context.options if isinstance(context, TaggingRuntime) else context or TagOptions()


class _Opened:
    """Opens each thing once, though many runs ask for it at the same time."""

    def __init__(self) -> None:
        self._tasks: dict[tuple[str, ...], asyncio.Task[Any]] = {}

    async def get(self, key: tuple[str, ...], make: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        task = self._tasks.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._tasks[key] = asyncio.ensure_future(make())
        # Shielded: one cancelled run must not close what the others wait for.
        return await asyncio.shield(task)

    async def close(self) -> None:
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            opened = (await asyncio.gather(task, return_exceptions=True))[0]
            if not isinstance(opened, BaseException):
                await opened.close()


class _Shared:
    """The shared runtimes of one event loop: each store and LLM is opened once for all of them."""

    def __init__(self) -> None:
        self._stores, self._llms = _Opened(), _Opened()
        self._readers: dict[int, StoreReader] = {}
        self._runtimes: OrderedDict[tuple[TagOptions, tuple[tuple[str, str], ...]], TaggingRuntime] = OrderedDict()

    async def get(self, options: TagOptions) -> TaggingRuntime:
        # Settings are read again only where the environment has changed: reading them for each node is slow.
        environment = tuple(sorted(item for item in os.environ.items() if item[0].startswith("LLM4TAG_")))
        known = self._runtimes.get((options, environment))
        if known is not None:
            self._runtimes.move_to_end((options, environment))
            return known
        settings = resolved(options)
        profile = await _profile(settings)
        key = (settings.store or "", settings.embedding or "")
        store: KnowledgeStore = await self._stores.get(key, lambda: _store(settings))
        llm = await self._llms.get(_llm_key(settings), lambda: open_llm(settings)) if options.use_llm else None
        reader = self._readers.setdefault(id(store), StoreReader(store))
        runtime = TaggingRuntime(options, settings, profile, reader, llm, owns_llm=False)
        self._runtimes[options, environment] = runtime
        while len(self._runtimes) > MOST_SHARED:
            self._runtimes.popitem(last=False)
        return runtime

    async def close(self) -> None:
        self._runtimes.clear()
        self._readers.clear()
        await self._stores.close()
        await self._llms.close()


def _llm_key(settings: Settings) -> tuple[str, ...]:
    named = (settings.model, settings.api_base, settings.adapter, settings.judge_form)
    return (*(one or "" for one in named), str(settings.answer_cache), str(settings.cache_dir))


# For LangGraph's server, which gives each run its options and nothing to own a runtime.
_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared] = WeakKeyDictionary()


async def shared_runtime(options: TagOptions) -> TaggingRuntime:
    """Return the runtime that all runs of this event loop share for these options.

    Raises:
        UsageError, StoreError, ModelNotFoundError: as ``open_runtime``.
    """
    return await _shared.setdefault(asyncio.get_running_loop(), _Shared()).get(options)


async def close_shared_runtimes() -> None:
    """Close everything that runs of this event loop share."""
    shared = _shared.pop(asyncio.get_running_loop(), None)
    if shared is not None:
        await shared.close()


@cache
def _background_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="llm4tag", daemon=True).start()
    return loop


def run_in_background(coroutine: Awaitable[T]) -> T:
    """Run a coroutine on an event loop of a thread of its own, for callers without one; Ctrl-C cancels it."""

    async def awaited() -> T:
        return await coroutine

    future = asyncio.run_coroutine_threadsafe(awaited(), _background_loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
