"""An LLM with the answer cache: the same question is sent once, even while its answer is awaited."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from llm4tag.models.answer_cache import AnswerCache, replayed
from llm4tag.models.event_loops import on_provider_loop
from llm4tag.models.judge_adapter import Adapter
from llm4tag.models.language_model import Answer, Question
from llm4tag.models.model_spans import question_span


class _Chat(Protocol):
    @property
    def limitations(self) -> tuple[str, ...]: ...

    def ask(self, question: Question) -> Coroutine[Any, Any, Answer]: ...


class CachedModel:
    """An LLM with one retry layer and the answer cache; identical questions at the same time are sent once.

    ``open_llm`` makes it; it implements ``LanguageModel``.

    Args:
        name: the model's name as configured.
        identity: everything that an answer depends on except the question.
        chat: sends the questions.
        cache: the answers on disk; None: nothing is cached.
        local: whether the model runs on this machine.
        adapter: the fine-tuned judge that the model can answer with.
        release: called when the model is closed.
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
        # Only the providers' loop uses these questions in flight.
        self._in_flight: dict[str, _Flight] = {}
        self._closed = False

    @property
    def name(self) -> str:
        """The model's name as configured."""
        return self._name

    @property
    def identity(self) -> str:
        """Everything that an answer depends on except the question: name, endpoint, or a local file's sha256."""
        return self._identity

    @property
    def adapter(self) -> Adapter | None:
        """The fine-tuned judge that the model answers with where a question names it."""
        return self._adapter

    @property
    def local(self) -> bool:
        """Whether the model runs on this machine, where one question at a time is fastest."""
        return self._local

    @property
    def limitations(self) -> tuple[str, ...]:
        """Sentences for the user about parameters that were left out because the provider refuses them."""
        return self._chat.limitations

    async def ask(self, question: Question) -> Answer:
        """Return the cached answer, or send the question and cache the answer.

        Samples of one prompt need different seeds, otherwise they are one question. Refusals and answers that
        were cut short are returned and cached; errors are raised and never cached.

        Raises:
            ModelError: the model cannot be reached, refuses the request, or failed ``max_attempts`` times.
        """
        with question_span(self._name, question) as traced:
            work = self._chat.ask(question) if self._cache is None else self._ask_once(question, self._cache)
            answer = await on_provider_loop(work)
            traced.describe_answer(answer)
            return answer

    async def close(self) -> None:
        """Close the cache's files, and stop the local server if nothing else in this process uses it.

        Closing twice does no harm.
        """
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
            # It is done or given up: the next question of this kind starts a new flight.
            if not flight.waiting and self._in_flight.get(key) is flight:
                del self._in_flight[key]
        return answer if first else replayed(answer)

    async def _look_up_or_ask(self, question: Question, cache: AnswerCache) -> Answer:
        cached = await cache.get(question)
        if cached is not None:
            return cached
        answer = await self._chat.ask(question)
        await cache.put(question, answer)
        return answer


class _Flight:
    """A question that was sent, with the number of callers who wait; the last one to give up cancels it."""

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
