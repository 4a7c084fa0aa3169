"""The Python interface: tag contents in a line or two, from code with or without an event loop."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path as FilePath
from types import TracebackType
from typing import Any, Self, cast
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ConfigDict

from llm4tag.calibration.passport import Conditions
from llm4tag.evaluation.calibration_report import FitConditions
from llm4tag.graphs.decide import as_condition, calibrator_for, conditions_of
from llm4tag.graphs.plan import plan_of
from llm4tag.graphs.runtime import OpenedOnce, TaggingRuntime, open_runtime, run_in_background
from llm4tag.graphs.state import TaggingInput
from llm4tag.graphs.tagging import graph
from llm4tag.knowledge_store.location import absolute_location
from llm4tag.knowledge_store.protocol import StoreStatistics
from llm4tag.models import tracing
from llm4tag.models.language_model import LanguageModel
from llm4tag.models.llm_registry import count_tokens, estimate_cost
from llm4tag.prompts.templates import CONTENT_BUDGET
from llm4tag.result_files import STORE_HOLDS
from llm4tag.schema import Content, Path, TagResult, UsageError
from llm4tag.schema.options import ParentsRule, TagOptions

_PROMPT_OVERHEAD = 700
"""Tokens of rules, examples and passages in addition to the content, at most."""
_LABEL_TOKENS = 14


class Estimate(BaseModel):
    """What tagging will ask of the LLM at most, cached answers included."""

    model_config = ConfigDict(frozen=True)

    llm_calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    """US dollars; 0 for a local model, None where the price is unknown."""


class Tagger:
    """Tags contents against the vocabulary of a store.

    A Tagger owns the store and the LLM that it opens: closing it closes these, and nothing of other Taggers. It
    opens them at the first use in each event loop; ``atag`` belongs to the caller's loop, ``tag`` to a loop of its
    own. Close it with ``aclose``, ``close`` or as a context manager.

    Args:
        store: path of an embedded store, or ``weaviate://host:port/name``; None takes LLM4TAG_STORE.
        model: ``local/NAME`` or any LiteLLM model; None takes LLM4TAG_MODEL or the local default.
        llm: an open model to ask in place of the one that ``model`` names; it stays open.

    Every other argument is an option of tagging; ``TagOptions`` and docs/reference/options.md describe them.

    Raises:
        UsageError: an option has a wrong value.
    """

    def __init__(
        self,
        store: str | FilePath | None = None,
        model: str | None = None,
        *,
        embedding: str | None = None,
        max_rounds: int | None = None,
        within: str | None = None,
        without: Collection[Path | str] = (),
        top: int = 50,
        widen_below: float = 0.5,
        watched: bool = False,
        max_error: float | None = None,
        accept_at: float = 0.5,
        review_at: float | None = None,
        parents: ParentsRule | str = ParentsRule.AS_LABELLED,
        uncalibrated: bool = False,
        api_base: str | None = None,
        adapter: str | None = None,
        profile: str | None = None,
        answer_cache: bool | None = None,
        samples: int | None = None,
        judge_top: int | None = None,
        rating: bool | None = None,
        cascade: bool | None = None,
        adaptive: bool | None = None,
        use_llm: bool = True,
        judge_form: str | None = None,
        generate_top: int | None = None,
        judge_unseen: int | None = None,
        examples: int | None = None,
        negatives: int | None = None,
        passages: int | None = None,
        llm: LanguageModel | None = None,
    ) -> None:
        given = {name: value for name, value in locals().items() if name in TagOptions.model_fields}
        given |= {"store": None if store is None else str(store), "without": frozenset(without)}
        self.options = TagOptions.checked(**given)
        self._llm = llm
        self._runtimes = OpenedOnce[asyncio.AbstractEventLoop, TaggingRuntime](
            TaggingRuntime.aclose, WeakKeyDictionary()
        )
        tracing.set_up()

    async def runtime(self) -> TaggingRuntime:
        """Return the open store and LLM of this event loop; open them where they are not.

        Raises:
            UsageError: no store is named, there is no such profile, or the model cannot take the adapter.
            StoreError: the store cannot be opened.
            ModelNotFoundError: no local model has that name, or there is no such file.
        """
        return await self._runtimes.get(
            asyncio.get_running_loop(), lambda: open_runtime(self.options, llm=self._llm)
        )

    async def atag(self, content: str | Content | Mapping[str, Any]) -> TagResult:
        """Tag one content: its text, a Content, or a mapping with ``text`` and perhaps ``id`` and ``title``.

        A content that the LLM fails at comes back with ``degraded`` set.

        Raises:
            UsageError: no text, or no store named.
            StoreError: the store cannot be used.
            ModelNotFoundError: the model is not on this machine, and an answer is not known already.
        """
        runtime = await self.runtime()
        output = await graph.ainvoke(_input(content), context=cast(Any, runtime))
        return TagResult.model_validate(output)

    async def atag_many(
        self, contents: Iterable[str | Content | Mapping[str, Any]], concurrency: int | None = None
    ) -> list[TagResult]:
        """Tag several contents, ``concurrency`` at a time; results in the order of the contents."""
        gate = asyncio.Semaphore(concurrency or (await self.runtime()).at_once)

        async def one(content: str | Content | Mapping[str, Any]) -> TagResult:
            async with gate:
                return await self.atag(content)

        tasks = [asyncio.ensure_future(one(content)) for content in contents]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    def tag(self, content: str | Content | Mapping[str, Any]) -> TagResult:
        """Tag one content; see ``atag``. For callers without an event loop."""
        return run_in_background(self.atag(content))

    def tag_many(
        self, contents: Iterable[str | Content | Mapping[str, Any]], concurrency: int | None = None
    ) -> list[TagResult]:
        """Tag several contents; see ``atag_many``. For callers without an event loop."""
        return run_in_background(self.atag_many(contents, concurrency))

    async def fingerprint(self) -> Conditions:
        """Return everything that results depend on, by name: store and what it holds, model, prompts, options."""
        runtime = await self.runtime()
        plan = await plan_of(runtime)
        calibrator = (await calibrator_for(runtime, plan)).calibrator
        return {
            "store": absolute_location(runtime.store.location),
            STORE_HOLDS: _holdings(await runtime.store.statistics()),
            **await conditions_of(runtime, plan),
            "calibrator": calibrator.passport.id if calibrator else None,
            "max_error": as_condition(runtime.target_error),
            "adaptive": str(plan.questions.adaptive and self.options.use_llm),
            **{name: as_condition(getattr(self.options, name)) for name in ("top", "accept_at", "review_at")},
        }

    async def fit_conditions(self, sample: Mapping[str, int] | None = None) -> FitConditions:
        """Return the conditions that a calibrator which is fitted on this tagger's results holds for."""
        runtime = await self.runtime()
        plan = await plan_of(runtime)
        return FitConditions(
            conditions=await conditions_of(runtime, plan),
            tagged_contents=plan.tagged_contents,
            depth=self.options.top,
            settings=await self.fingerprint(),
            sample=sample,
        )

    async def refusal(self) -> str:
        """Return why nothing can be accepted at the target of error; empty where something can, or none is set."""
        runtime = await self.runtime()
        if runtime.target_error is None:
            return ""
        return (await calibrator_for(runtime, await plan_of(runtime))).refusal(runtime.target_error)

    async def estimate(self, contents: Sequence[Content]) -> Estimate:
        """Return what the LLM will be asked at most: all rounds, and no answer cached."""
        runtime = await self.runtime()
        if runtime.llm is None:
            return Estimate(llm_calls=0, prompt_tokens=0, completion_tokens=0, cost=0.0)
        questions = (await plan_of(runtime)).questions
        judged, rounds = questions.judge_top + questions.judge_unseen, questions.max_rounds
        lists = questions.samples * questions.generate_top
        if questions.rating and judged:
            lists, judged = lists + judged, 1
        asked = (questions.samples + judged) * rounds + rounds - 1
        listed = lists * rounds * _LABEL_TOKENS
        prompts = sum(
            asked * (count_tokens(content.full_text[:CONTENT_BUDGET]) + _PROMPT_OVERHEAD) + listed
            for content in contents
        )
        answers = len(contents) * (listed + asked)
        cost = 0.0 if runtime.llm.local else estimate_cost(runtime.llm.name, prompts, answers)
        return Estimate(
            llm_calls=asked * len(contents), prompt_tokens=prompts, completion_tokens=answers, cost=cost
        )

    async def aclose(self) -> None:
        """Close the store and the LLM that this Tagger opened in this event loop; idempotent."""
        await self._runtimes.close(asyncio.get_running_loop())
        await asyncio.to_thread(tracing.flush)

    def close(self) -> None:
        """Close what ``tag`` and ``tag_many`` opened; idempotent."""
        run_in_background(self.aclose())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _holdings(statistics: StoreStatistics) -> str:
    """Return what recall draws on; a difference here changes results."""
    given = statistics.assignments
    return (
        f"{statistics.contents} contents, {statistics.tagged_contents} of them tagged by people, "
        f"{given.human} tags of people and {given.model} of models, {statistics.passages} passages, "
        f"centre {statistics.centre}"
    )


def _input(content: str | Content | Mapping[str, Any]) -> TaggingInput:
    if isinstance(content, str):
        return {"text": content}
    if isinstance(content, Content):
        return {"id": content.id, "text": content.text, "title": content.title}
    unknown = set(content) - {"id", "text", "title"}
    if unknown or "text" not in content:
        wrong = f"unknown {', '.join(sorted(map(repr, unknown)))}" if unknown else "no 'text'"
        raise UsageError(f"Content fields: {wrong}. Give 'text', and perhaps 'id' and 'title'.")
    return cast(TaggingInput, dict(content))
