"""The open store and LLM behind a graph run, shared by all runs of one event loop."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from llm4tag.calibration.calibrator import Calibrator
from llm4tag.graphs.context import TagOptions
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.knowledge_store.stores import open_store
from llm4tag.models.language_model import LanguageModel
from llm4tag.models.llm_registry import open_llm
from llm4tag.prompts import prompt_hashes, read_profile
from llm4tag.schema import UsageError
from llm4tag.schema.profile import Profile
from llm4tag.tools.fitted_recall import FittedRecall, fit_in, load_fitted
from llm4tag.tools.kept_calibrator import calibrator_in, load_calibrator
from llm4tag.tools.phrases import PhraseIndex


@dataclass
class Resources:
    """What nodes work with."""

    store: KnowledgeStore
    llm: LanguageModel | None
    profile: Profile
    _phrases: PhraseIndex | None = None
    _fitted: FittedRecall | None = None
    _fit: str | None = None
    _calibrator: Calibrator | None = None
    _calibrated: str | None = None
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def tuned(self) -> bool:
        """Whether it is a fine-tuned judge that is asked."""
        return self.llm is not None and self.llm.adapter is not None

    def prompts(self) -> dict[str, str]:
        """Return the content hash of each prompt that the LLM is asked with, by name."""
        if self.llm is None:
            return {}
        tuned = {} if self.llm.adapter is None else {"judge": self.llm.adapter.form_hash}
        return prompt_hashes(self.profile) | tuned

    async def phrases(self) -> PhraseIndex:
        """Return the phrase index of the vocabulary as it stands now."""
        vocabulary = await self.store.vocabulary()
        if self._phrases is None or self._phrases.version != vocabulary.version:
            self._phrases = await asyncio.to_thread(PhraseIndex, vocabulary)
        return self._phrases

    async def fitted(self) -> FittedRecall | None:
        """Return what was fitted on the store's history as it stands now, read once for each fit."""
        async with self._reading:
            fit = await fit_in(self.store)
            if fit != self._fit:
                self._fitted, self._fit = await load_fitted(self.store), fit
            return self._fitted

    async def calibrator(self) -> Calibrator | None:
        """Return the store's calibrator for results with an LLM, or without, as it stands now."""
        with_llm = self.llm is not None
        async with self._reading:
            fit = await calibrator_in(self.store, with_llm)
            if fit != self._calibrated:
                self._calibrator, self._calibrated = await load_calibrator(self.store, with_llm), fit
            return self._calibrator


class _Pool:
    """Opens each thing once, though many runs ask at the same time."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, ...], asyncio.Task[Any]] = {}

    async def get(self, key: tuple[str, ...], make: Callable[[], Awaitable[Any]]) -> Any:
        task = self._open.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.ensure_future(make())
            self._open[key] = task
        # Shielded: one cancelled run must not close what the others wait for.
        return await asyncio.shield(task)

    async def close(self) -> None:
        tasks, self._open = list(self._open.values()), {}
        for task in tasks:
            opened = (await asyncio.gather(task, return_exceptions=True))[0]
            if not isinstance(opened, BaseException):
                close = getattr(opened, "close", None) or getattr(opened.store, "close", None)
                if close is not None:
                    await close()


_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, _Pool] = WeakKeyDictionary()


async def resources_for(options: TagOptions) -> Resources:
    """Return the store and, unless recall alone is wanted, the LLM that the options name; opened once a loop.

    Raises:
        UsageError: no store was named, no such profile, or the model cannot take the adapter that was named.
        StoreError: the store cannot be opened.
        ModelNotFoundError: no local model is known by that name, or there is no such file.
    """
    chosen = options.settings()
    if chosen.store is None:
        raise UsageError("No store given: pass --store STORE (store=… from Python) or set LLM4TAG_STORE.")
    pool = _pools.setdefault(asyncio.get_running_loop(), _Pool())
    location = chosen.store

    async def make_store() -> KnowledgeStore:
        return await open_store(location, embedding=chosen.embedding, cache_dir=chosen.cache_dir)

    async def make_llm() -> LanguageModel:
        return await open_llm(chosen)

    async def make_resources() -> Resources:
        # Profile and templates: file work, kept off the event loop.
        profile = await asyncio.to_thread(read_profile, chosen.profile)
        await asyncio.to_thread(prompt_hashes, profile)
        store: KnowledgeStore = await pool.get(("store", location, chosen.embedding or ""), make_store)
        model = await pool.get(("llm", *llm), make_llm) if options.use_llm else None
        return Resources(store, model, profile)

    llm = (
        *(chosen.model, chosen.api_base or "", chosen.adapter or "", chosen.judge_form or ""),
        *(str(chosen.answer_cache), str(chosen.cache_dir)),
    )
    parts = ("all", location, chosen.embedding or "", chosen.profile, str(options.use_llm), *llm)
    resources: Resources = await pool.get(parts, make_resources)
    return resources


async def close_resources() -> None:
    """Close everything that runs of this event loop opened."""
    pool = _pools.pop(asyncio.get_running_loop(), None)
    if pool is not None:
        await pool.close()
