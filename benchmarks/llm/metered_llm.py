"""Tag by one configuration: questions are counted, and answered from what is known unless live."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llm4tag.graphs.context import TagOptions
from llm4tag.models.answer_cache import AnswerCache
from llm4tag.models.cached_llm import CachedModel
from llm4tag.models.judge_adapter import Adapter
from llm4tag.models.language_model import Answer, LanguageModel, Question
from llm4tag.models.llm_registry import count_tokens, open_llm
from llm4tag.schema import Content, ModelSetupError, Settings, TagResult
from llm4tag.tagger import Tagger


@dataclass
class Meter:
    """What a configuration asked, known answers included."""

    questions: int = 0
    live: int = 0
    prompt_tokens: int = 0
    live_seconds: float = 0.0


@dataclass
class Metered:
    """An LLM whose questions are counted; meets ``LanguageModel``."""

    inner: LanguageModel
    meter: Meter = field(default_factory=Meter)

    @property
    def name(self) -> str:
        """As configured."""
        return self.inner.name

    @property
    def identity(self) -> str:
        """What answers depend on."""
        return self.inner.identity

    @property
    def local(self) -> bool:
        """Whether it runs on this machine."""
        return self.inner.local

    @property
    def adapter(self) -> Adapter | None:
        """The fine-tuned judge."""
        return self.inner.adapter

    @property
    def limitations(self) -> tuple[str, ...]:
        """For the user to read."""
        return self.inner.limitations

    async def ask(self, question: Question) -> Answer:
        """Ask, and count."""
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


class Unknown:
    """Stands where a model would be asked."""

    limitations: tuple[str, ...] = ()

    async def ask(self, question: Question) -> Answer:
        """Refuse.

        Raises:
            ModelSetupError: always.
        """
        raise ModelSetupError("the answer is not known; --live asks")


async def tag(
    contents: Sequence[Content], store: str, live: bool, chosen: Mapping[str, Any]
) -> tuple[list[TagResult], Meter]:
    """Tag by one configuration; a result with an answer that is not cached is degraded."""
    meter = Meter()
    options = {"max_rounds": 1, "top": 1000, "uncalibrated": True, "cascade": False, **chosen}
    settings = TagOptions.checked(store=store, **options).settings()
    llm = await _metered(settings, meter, live) if options.get("use_llm", True) else None
    try:
        async with Tagger(store, llm=llm, **options) as tagger:
            return await tagger.atag_many(contents, 1 if live else None), meter
    finally:
        if llm is not None:
            await llm.close()


async def _metered(settings: Settings, meter: Meter, live: bool) -> Metered:
    """Open the model that the settings name; unless live it has the cached answers alone."""
    llm = await open_llm(settings)
    if live:
        return Metered(llm, meter)
    cache = AnswerCache(settings.cache_dir, llm.identity)
    replayed = CachedModel(llm.name, llm.identity, Unknown(), cache, local=llm.local, adapter=llm.adapter)
    return Metered(replayed, meter)
