"""An LLM whose questions are counted; they are answered from the cache, or live."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llm4tag.models.answer_cache import AnswerCache
from llm4tag.models.cached_llm import CachedModel
from llm4tag.models.judge_adapter import Adapter
from llm4tag.models.language_model import Answer, LanguageModel, Question
from llm4tag.models.llm_registry import count_tokens, open_llm
from llm4tag.schema import Content, ModelSetupError, Settings, TagResult
from llm4tag.schema.options import TagOptions, resolved
from llm4tag.tagger import Tagger


@dataclass
class Meter:
    """The number and size of a configuration's questions, those with cached answers included."""

    questions: int = 0
    live: int = 0
    prompt_tokens: int = 0
    live_seconds: float = 0.0


@dataclass
class MeteredLLM:
    """An LLM whose questions are counted; meets ``LanguageModel``."""

    inner: LanguageModel
    meter: Meter = field(default_factory=Meter)

    @property
    def name(self) -> str:
        """Return the name as configured."""
        return self.inner.name

    @property
    def identity(self) -> str:
        """Return all that answers depend on."""
        return self.inner.identity

    @property
    def local(self) -> bool:
        """Return whether the LLM runs on this machine."""
        return self.inner.local

    @property
    def adapter(self) -> Adapter | None:
        """Return the fine-tuned judge."""
        return self.inner.adapter

    @property
    def limitations(self) -> tuple[str, ...]:
        """Return notes for the user."""
        return self.inner.limitations

    async def ask(self, question: Question) -> Answer:
        """Ask, and count the question."""
        started = time.perf_counter()
        answer = await self.inner.ask(question)
        self.meter.questions += 1
        self.meter.prompt_tokens += sum(count_tokens(message.content) for message in question.messages)
        if answer.usage.llm_calls:
            self.meter.live += 1
            self.meter.live_seconds += time.perf_counter() - started
        return answer

    async def close(self) -> None:
        """Close the model."""
        await self.inner.close()


class KnownAnswersOnly:
    """Takes the place of a model behind the cache, so that only cached answers are given."""

    limitations: tuple[str, ...] = ()

    async def ask(self, question: Question) -> Answer:
        """Refuse.

        Raises:
            ModelSetupError: always.
        """
        raise ModelSetupError("the answer is not cached; --live asks the question")


async def tag(
    contents: Sequence[Content], store: str, live: bool, chosen: Mapping[str, Any]
) -> tuple[list[TagResult], Meter]:
    """Tag by one configuration; a result with an answer that is not cached is degraded."""
    meter = Meter()
    options = {"max_rounds": 1, "top": 1000, "uncalibrated": True, "cascade": False, **chosen}
    settings = resolved(TagOptions.checked(store=store, **options))
    llm = await _metered(settings, meter, live) if options.get("use_llm", True) else None
    try:
        async with Tagger(store, llm=llm, **options) as tagger:
            return await tagger.atag_many(contents, 1 if live else None), meter
    finally:
        if llm is not None:
            await llm.close()


async def _metered(settings: Settings, meter: Meter, live: bool) -> MeteredLLM:
    """Open the model that the settings name; unless live it has the cached answers alone."""
    llm = await open_llm(settings)
    if live:
        return MeteredLLM(llm, meter)
    await llm.close()
    cache = AnswerCache(settings.cache_dir, llm.identity)
    replayed = CachedModel(llm.name, llm.identity, KnownAnswersOnly(), cache, local=llm.local, adapter=llm.adapter)
    return MeteredLLM(replayed, meter)
