"""The runtime of tagging: the open store and LLM, the profile and the closed settings that nodes work with.

A ``Tagger`` opens a runtime of its own and passes it as the graph's context. A caller that passes options alone,
as LangGraph's server does, gets one of the shared runtimes of its event loop.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from llm4tag.calibration.calibrator import Calibrator
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.knowledge_store.stores import open_store
from llm4tag.models.language_model import LanguageModel
from llm4tag.models.llm_registry import open_llm
from llm4tag.prompts import prompt_hashes, read_profile
from llm4tag.schema import Settings, UsageError
from llm4tag.schema.options import TagOptions, contents_at_once, resolved
from llm4tag.schema.profile import Profile
from llm4tag.tools.artifacts import CalibratorKind, StoreReader

K = TypeVar("K")
T = TypeVar("T")


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

    @property
    def at_once(self) -> int:
        """How many contents to work at together, where the caller does not say it."""
        return contents_at_once(use_llm=self.llm is not None, local=self.llm is not None and self.llm.local)

    def prompts(self) -> dict[str, str]:
        """Return the content hash of each prompt that the LLM is asked with, by name."""
        if self.llm is None:
            return {}
        tuned = {} if self.llm.adapter is None else {"judge": self.llm.adapter.form_hash}
        return prompt_hashes(self.profile) | tuned

    async def calibrators(self) -> list[Calibrator]:
        """Return the store's present calibrators for such results; the first that holds is to be taken."""
        found = [
            await self.reader.calibrator(kind) for kind in CalibratorKind.choices(with_llm=self.llm is not None)
        ]
        return [calibrator for calibrator in found if calibrator is not None]

    async def aclose(self) -> None:
        """Close the store and the LLM; only whoever opened the runtime may."""
        await self.store.close()
        if self.llm is not None and self.owns_llm:
            await self.llm.close()


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
    profile = await open_profile(settings)
    store = await open_store_of(settings)
    try:
        if not options.use_llm:
            return TaggingRuntime(options, settings, profile, StoreReader(store), None)
        return TaggingRuntime(
            options, settings, profile, StoreReader(store), llm or await open_llm(settings), owns_llm=llm is None
        )
    except BaseException:
        await store.close()
        raise


async def open_profile(settings: Settings) -> Profile:
    """Read the profile that the settings name, and its templates: files, so not on the event loop."""
    profile = await asyncio.to_thread(read_profile, settings.profile)
    await asyncio.to_thread(prompt_hashes, profile)
    return profile


async def open_store_of(settings: Settings) -> KnowledgeStore:
    """Open the store that the settings name.

    Raises:
        UsageError: they name none.
        StoreError: it cannot be opened.
    """
    if settings.store is None:
        raise UsageError(
            "no store is given", option="store", remedy="give {store}, or set the variable LLM4TAG_STORE"
        )
    return await open_store(settings.store, embedding=settings.embedding, cache_dir=settings.cache_dir)


class OpenedOnce(Generic[K, T]):
    """Opens each thing once, though many callers ask for it at the same time; one that failed is tried again.

    Args:
        close: closes what was opened.
        tasks: an empty mapping to hold the tasks that open things, by key.
    """

    def __init__(
        self, close: Callable[[T], Awaitable[None]], tasks: MutableMapping[K, asyncio.Task[T]] | None = None
    ) -> None:
        self._close = close
        self._tasks = {} if tasks is None else tasks

    async def get(self, key: K, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what has that key; open it by ``make`` where it is not open."""
        task = self._tasks.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._tasks[key] = asyncio.ensure_future(make())
        # Shielded: one cancelled caller must not close what the others wait for.
        return await asyncio.shield(task)

    async def close(self, key: K) -> None:
        """Close what has that key, once it is open; nothing happens where there is nothing."""
        task = self._tasks.pop(key, None)
        if task is not None:
            (opened,) = await asyncio.gather(task, return_exceptions=True)
            if not isinstance(opened, BaseException):
                await self._close(opened)

    async def close_all(self) -> None:
        """Close everything."""
        for key in list(self._tasks):
            await self.close(key)


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
