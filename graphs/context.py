"""The context of a run of the graph: a runtime that the caller owns, or options for which a shared one is opened.

Shared runtimes are a fallback for LangGraph's server, which gives each run its options and cannot own a runtime. A
``Tagger`` owns its own.
"""

import asyncio
import os
from collections import OrderedDict
from typing import TypeAlias
from weakref import WeakKeyDictionary

from langgraph.runtime import Runtime

from llm4tag.graphs.runtime import OpenedOnce, TaggingRuntime, open_profile, open_store_of
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.models.language_model import LanguageModel
from llm4tag.models.llm_registry import open_llm
from llm4tag.schema import Settings
from llm4tag.schema.options import TagOptions, resolved
from llm4tag.tools.artifacts import StoreReader

MOST_SHARED = 64
"""Runtimes of different options that one event loop shares; their stores and LLMs are opened once."""

TagContext: TypeAlias = TaggingRuntime | TagOptions
"""The graph's context: a runtime that the caller owns, or options for which a shared one is opened."""


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


class _Shared:
    """The shared runtimes of one event loop: each store and LLM is opened once for all of them."""

    def __init__(self) -> None:
        self._stores = OpenedOnce[tuple[str, ...], KnowledgeStore](lambda store: store.close())
        self._llms = OpenedOnce[tuple[str, ...], LanguageModel](lambda llm: llm.close())
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
        profile = await open_profile(settings)
        key = (settings.store or "", settings.embedding or "")
        store = await self._stores.get(key, lambda: open_store_of(settings))
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
        await self._stores.close_all()
        await self._llms.close_all()


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
