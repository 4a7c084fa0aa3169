"""An LLM behind the answer cache: the same question is asked once, even while it is being asked."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from llm4tag.models.answer_cache import AnswerCache, replayed
from llm4tag.models.event_loops import on_provider_loop
from llm4tag.models.judge_adapter import Adapter
from llm4tag.models.language_model import Answer, Question
from llm4tag.models.model_spans import asking


class _Chat(Protocol):
    @property
    def notes(self) -> tuple[str, ...]: ...

    def ask(self, question: Question) -> Coroutine[Any, Any, Answer]: ...


class CachedModel:
    """An LLM behind one retry layer and the answer cache; identical questions in flight are asked once.

    Made by `open_llm`; meets `models.llm.LanguageModel`.
    """

    def __init__(
        self,
        name: str,
        identity: str,
        chat: _Chat,
        cache: AnswerCache | None,
        *,
        local: bool = False,
        adapter: Adapter | None = None,
        release: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._name = name
        self._identity = identity
        self._chat = chat
        self._cache = cache
        self._local = local
        self._adapter = adapter
        self._release = release
        # All of these are touched on the providers' loop only.
        self._in_flight: dict[str, _Flight] = {}
        self._closed = False

    @property
    def name(self) -> str:
        """The model's name as configured."""
        return self._name

    @property
    def identity(self) -> str:
        """What answers depend on: name and endpoint, or the sha256 of a local model's file."""
        return self._identity

    @property
    def adapter(self) -> Adapter | None:
        """The fine-tuned judge that it answers with where a question names it."""
        return self._adapter

    @property
    def local(self) -> bool:
        """Whether it runs on this machine, one question at a time being best."""
        return self._local

    @property
    def notes(self) -> tuple[str, ...]:
        """What was asked for and left out because the provider does not take it, for the user to read."""
        return self._chat.notes

    async def ask(self, question: Question) -> Answer:
        """Ask, or replay the kept answer. Give samples of one prompt different seeds, or they are one question.

        Refusals and answers cut short are returned (and kept); errors are raised, and never kept.

        Raises:
            ModelError: the model cannot be reached, refuses the request, or failed ``max_attempts`` times.
        """
        with asking(self._name, question) as traced:
            work = self._chat.ask(question) if self._cache is None else self._ask_once(question, self._cache)
            answer = await on_provider_loop(work)
            traced.answered(answer)
            return answer

    async def close(self) -> None:
        """Release the cache's files, and the local server if nobody else in this process uses it; idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._cache is not None:
            await self._cache.close()
        if self._release is not None:
            await self._release()

    async def _ask_once(self, question: Question, cache: AnswerCache) -> Answer:
        key = question.key(self._identity)
        flight = self._in_flight.get(key)
        first = flight is None
        if flight is None:
            flight = self._in_flight[key] = _Flight(asyncio.ensure_future(self._look_up_or_ask(question, cache)))
        try:
            answer = await flight.join()
        finally:
            # Done or given up: whoever asks from now on asks anew.
            if not flight.waiting and self._in_flight.get(key) is flight:
                del self._in_flight[key]
        return answer if first else replayed(answer)

    async def _look_up_or_ask(self, question: Question, cache: AnswerCache) -> Answer:
        kept = await cache.get(question)
        if kept is not None:
            return kept
        answer = await self._chat.ask(question)
        await cache.put(question, answer)
        return answer


class _Flight:
    """A question being asked, with those who wait for it; the last to give up cancels it."""

    def __init__(self, task: asyncio.Future[Answer]) -> None:
        self.task = task
        self.waiting = 0

    async def join(self) -> Answer:
        self.waiting += 1
        try:
            return await asyncio.shield(self.task)
        finally:
            self.waiting -= 1
            if not self.waiting:
                self.task.cancel()
