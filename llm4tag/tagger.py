"""The Python face: tag contents in a line or two, from code with or without an event loop."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path as FilePath
from types import TracebackType
from typing import Any, Self, cast

from pydantic import BaseModel, ConfigDict

from llm4tag.evaluation.calibration_report import FitConditions
from llm4tag.graphs.background import run
from llm4tag.graphs.context import TagOptions
from llm4tag.graphs.planning import planned
from llm4tag.graphs.resources import Resources, close_resources, resources_for
from llm4tag.graphs.standing import conditions_of, standing_of
from llm4tag.graphs.state import TaggingInput
from llm4tag.graphs.tagging import graph
from llm4tag.knowledge_store.location import absolute_location
from llm4tag.knowledge_store.protocol import StoreStatistics
from llm4tag.models import tracing
from llm4tag.models.cost import count_tokens, estimate_cost
from llm4tag.prompts.rendering import CONTENT_BUDGET
from llm4tag.result_files import STORE_HOLDS
from llm4tag.schema import Content, TagResult, UsageError

_PROMPT_OVERHEAD = 700
"""Tokens of rules, examples and passages beside the content, at most."""
_LABEL_TOKENS = 14


class Estimate(BaseModel):
    """What tagging will ask of the LLM at most, before cached answers."""

    model_config = ConfigDict(frozen=True)

    llm_calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    """US dollars; 0 for a local model, None when the price is unknown."""


class Tagger:
    """Tags contents against the vocabulary of a store.

    Args:
        store: path of an embedded store; None takes LLM4TAG_STORE.
        model: ``local/NAME`` or any LiteLLM model; None takes LLM4TAG_MODEL or the local default.
        options: the other fields of ``TagOptions``: ``use_llm``, ``top``, ``within``, ``max_rounds``, …

    Raises:
        UsageError: an option that does not exist or has a wrong value.

    ``atag`` belongs to the event loop it is first used in, ``tag`` to a loop of its own; close with ``aclose``,
    ``close`` or the context manager.
    """

    def __init__(self, store: str | FilePath | None = None, model: str | None = None, **options: Any) -> None:
        self.options = TagOptions.checked(store=None if store is None else str(store), model=model, **options)
        tracing.set_up()

    async def atag(self, content: str | Content | Mapping[str, Any]) -> TagResult:
        """Tag one content: its text, a Content, or a mapping with ``text`` and perhaps ``id`` and ``title``.

        A content that the LLM fails at comes back with ``degraded`` set.

        Raises:
            UsageError: no text, or no store named.
            StoreError: the store cannot be used.
            ModelNotFoundError: the model is not on this machine, and an answer is not known already.
        """
        output = await graph.ainvoke(_input(content), context=self.options)
        return TagResult.model_validate(output)

    async def atag_many(
        self, contents: Iterable[str | Content | Mapping[str, Any]], concurrency: int | None = None
    ) -> list[TagResult]:
        """Tag several contents, ``concurrency`` at a time; results in the order of the contents."""
        gate = asyncio.Semaphore(concurrency or self.options.at_once)

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
        return run(self.atag(content))

    def tag_many(
        self, contents: Iterable[str | Content | Mapping[str, Any]], concurrency: int | None = None
    ) -> list[TagResult]:
        """Tag several contents; see ``atag_many``. For callers without an event loop."""
        return run(self.atag_many(contents, concurrency))

    async def fingerprint(self) -> dict[str, str]:
        """Return all that results depend on, by name: store and what it holds, model, prompts, options."""
        resources = await self._resources()
        statistics = await resources.store.statistics()
        made = await planned(self.options, resources)
        standing = await standing_of(self.options, resources, made)
        return {
            "store": absolute_location(resources.store.location),
            STORE_HOLDS: _holdings(statistics),
            **await conditions_of(self.options, resources, made),
            "calibrator": standing.calibrator.passport.id if standing.calibrator else "none",
            "max_error": str(self.options.target_error),
            "adaptive": str(made.steps.adaptive and self.options.use_llm),
            **{name: str(getattr(self.options, name)) for name in ("top", "accept_at", "review_at")},
        }

    async def circumstances(self, sample: Mapping[str, int] | None = None) -> FitConditions:
        """Return what a calibrator that is fitted on this tagger's results holds for."""
        resources = await self._resources()
        made = await planned(self.options, resources)
        return FitConditions(
            conditions=await conditions_of(self.options, resources, made),
            tagged_contents=made.tagged_contents,
            depth=self.options.top,
            settings=await self.fingerprint(),
            sample=sample,
        )

    async def refusal(self) -> str:
        """Say why nothing can be accepted at the target of error; empty where there is none, or something can."""
        target = self.options.target_error
        if target is None:
            return ""
        resources = await self._resources()
        return (await standing_of(self.options, resources, await planned(self.options, resources))).refusal(target)

    async def estimate(self, contents: Sequence[Content]) -> Estimate:
        """Return what the LLM will be asked at most, every round used and no answer known yet."""
        resources = await self._resources()
        if resources.llm is None:
            return Estimate(llm_calls=0, prompt_tokens=0, completion_tokens=0, cost=0.0)
        steps = (await planned(self.options, resources)).steps
        judged, rounds = steps.judge_top + steps.judge_unseen, steps.max_rounds
        lists = steps.samples * steps.generate_top
        if steps.rating and judged:
            lists, judged = lists + judged, 1
        asked = (steps.samples + judged) * rounds + rounds - 1
        listed = lists * rounds * _LABEL_TOKENS
        prompts = sum(
            asked * (count_tokens(content.full_text[:CONTENT_BUDGET]) + _PROMPT_OVERHEAD) + listed
            for content in contents
        )
        answers = len(contents) * (listed + asked)
        cost = 0.0 if resources.llm.local else estimate_cost(resources.llm.name, prompts, answers)
        return Estimate(
            llm_calls=asked * len(contents), prompt_tokens=prompts, completion_tokens=answers, cost=cost
        )

    async def _resources(self) -> Resources:
        return await resources_for(self.options)

    async def aclose(self) -> None:
        """Close the store and the LLM; idempotent."""
        await close_resources()
        await asyncio.to_thread(tracing.flush)

    def close(self) -> None:
        """Close what ``tag`` and ``tag_many`` opened; idempotent."""
        run(self.aclose())

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
