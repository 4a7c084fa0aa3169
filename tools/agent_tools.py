"""The recall paths as LangChain tools, for any agent: search tags, expand by similar contents, follow tags."""

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, Field

from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.models.embedder import Vector
from llm4tag.models.tracing import span
from llm4tag.schema import Evidence
from llm4tag.tools.content_to_tag import recall_by_text
from llm4tag.tools.fitted_recall import load_fitted
from llm4tag.tools.fusion import strongest
from llm4tag.tools.linear_scores import recall_by_linear
from llm4tag.tools.parts import parts_of
from llm4tag.tools.phrases import PhraseIndex
from llm4tag.tools.plan import RecallPlan
from llm4tag.tools.similar_contents import recall_by_contents
from llm4tag.tools.tag_to_tag import recall_by_tags


class TextQuery(BaseModel):
    """Arguments of the tools that start from a text."""

    text: str = Field(description="The content to find tags for, or a search query.", min_length=1)
    limit: int = Field(default=20, ge=1, le=100, description="How many tags to return at most.")
    within: str | None = Field(default=None, description="Only tags under this parent (its id).")


class TagQuery(BaseModel):
    """Arguments of the tool that starts from tags."""

    tags: list[str] = Field(description="Ids of tags to start from.", min_length=1)
    limit: int = Field(default=20, ge=1, le=100, description="How many tags to return at most.")
    within: str | None = Field(default=None, description="Only tags under this parent (its id).")


def recall_tools(store: KnowledgeStore) -> list[BaseTool]:
    """Return the four recall tools over a store; each gives a list of tags with name, score and evidence."""

    async def search_tags(text: str, limit: int = 20, within: str | None = None) -> list[dict[str, Any]]:
        plan = await _plan(store)
        whole = await store.embed_query(text)
        vectors: list[tuple[str, Vector]] = []
        if whole is not None:
            parts = parts_of(text, plan.parts)
            vectors = [("", whole), *zip(parts, await store.embed_queries(parts) or [], strict=True)]
        phrases = PhraseIndex(await store.vocabulary())
        return await _listed(store, await recall_by_text(store, text, vectors, plan, phrases, within), limit)

    async def expand_tag_graph(text: str, limit: int = 20, within: str | None = None) -> list[dict[str, Any]]:
        vector = await store.embed_query(text)
        found = await recall_by_contents(store, text, vector, await _plan(store), within=within)
        return await _listed(store, found, limit)

    async def classify_content(text: str, limit: int = 20, within: str | None = None) -> list[dict[str, Any]]:
        fitted = await load_fitted(store)
        if fitted is None:
            return []
        vocabulary = await store.vocabulary()
        allowed = vocabulary.assignable if within is None else vocabulary.within(within)
        vector = await store.embed_query(text)
        found = recall_by_linear(fitted.linear, text, vector, await _plan(store), allowed)
        return await _listed(store, found, limit)

    async def related_tags(tags: list[str], limit: int = 20, within: str | None = None) -> list[dict[str, Any]]:
        vocabulary = await store.vocabulary()
        seeds = {tag: 1.0 for tag in tags if tag in vocabulary}
        found = await recall_by_tags(store, seeds, await _plan(store), within)
        return await _listed(store, found, limit)

    return [
        _tool(
            search_tags,
            "Find tags of the closed vocabulary whose name, alias or meaning resembles a text (C2T).",
            TextQuery,
        ),
        _tool(expand_tag_graph, "Find tags that similar, already tagged contents carry (C2C2T).", TextQuery),
        _tool(
            classify_content,
            "Find tags by a linear scorer fitted on all tagged contents; none where none was fitted.",
            TextQuery,
        ),
        _tool(
            related_tags,
            "Find tags that often go with given tags, and their parents and children (T2T).",
            TagQuery,
        ),
    ]


def _tool(
    work: Callable[..., Awaitable[list[dict[str, Any]]]], description: str, arguments: type[BaseModel]
) -> BaseTool:
    """Make a tool of a coroutine function, under its name; each call is traced where traces are on."""

    @wraps(work)
    async def traced(**given: Any) -> list[dict[str, Any]]:
        with span(work.__name__, "tool") as spanned:
            if spanned:
                spanned.add({"tool.name": work.__name__, "input.value": json.dumps(given)})
            found = await work(**given)
            spanned.tell(found=len(found))
            return found

    return StructuredTool.from_function(
        coroutine=traced,
        name=work.__name__,
        description=description,
        args_schema=arguments,
    )


async def _plan(store: KnowledgeStore) -> RecallPlan:
    return RecallPlan.first((await store.statistics()).tagged_contents)


async def _listed(store: KnowledgeStore, found: Mapping[str, Evidence], limit: int) -> list[dict[str, Any]]:
    vocabulary = await store.vocabulary()
    best = strongest({tag: evidence.score for tag, evidence in found.items()}, limit)
    return [
        {"id": tag, "name": vocabulary[tag].name, "score": score, "evidence": found[tag].model_dump(mode="json")}
        for tag, score in best.items()
    ]
