"""The recall paths as LangChain tools, for any agent; they use a store's fit as tagging does."""

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, Field

from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.models.tracing import span
from llm4tag.schema import Evidence, Path
from llm4tag.tools import recall
from llm4tag.tools.artifacts import StoreReader
from llm4tag.tools.candidate_fusion import strongest

ToolResult = list[dict[str, Any]]
"""Tags as JSON, best first, each with ``id``, ``name``, ``score`` and ``evidence`` (a list where paths are
fused)."""


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
    """Return the recall tools of a store: one that follows all paths, and one for each path."""
    reader = StoreReader(store)

    async def find_tags(text: str, limit: int = 20, within: str | None = None) -> ToolResult:
        queries, plan = await recall.queries_for(reader, [text]), await recall.plan_for(reader)
        (found,) = await recall.recall(reader, queries, plan, within)
        vocabulary = await store.vocabulary()
        best = [one for one in found.candidates if one.tag in vocabulary.assignable][:limit]
        return [
            {
                "id": one.tag,
                "name": vocabulary[one.tag].name,
                "score": one.score,
                "evidence": [item.model_dump(mode="json") for item in one.evidence],
            }
            for one in best
        ]

    async def search_tags(text: str, limit: int = 20, within: str | None = None) -> ToolResult:
        queries, plan = await recall.queries_for(reader, [text]), await recall.plan_for(reader)
        (found,) = await recall.search_tags(reader, queries, plan, within)
        return await _best(store, found, limit)

    async def expand_tag_graph(text: str, limit: int = 20, within: str | None = None) -> ToolResult:
        queries, plan = await recall.queries_for(reader, [text]), await recall.plan_for(reader)
        (found,) = await recall.search_contents(reader, queries, plan, within)
        return await _best(store, found, limit)

    async def classify_content(text: str, limit: int = 20, within: str | None = None) -> ToolResult:
        queries, plan = await recall.queries_for(reader, [text]), await recall.plan_for(reader)
        (found,) = await recall.classify(reader, queries, plan, within)
        return await _best(store, found, limit)

    async def related_tags(tags: list[str], limit: int = 20, within: str | None = None) -> ToolResult:
        vocabulary = await store.vocabulary()
        seeds = {tag: 1.0 for tag in tags if tag in vocabulary}
        # In tagging T2T starts in the second round, and a fusion may have been fitted without it.
        plan = await recall.plan_for(reader)
        plan = plan.model_copy(update={"round": 2, "paths": plan.paths | {Path.T2T}})
        (found,) = await recall.follow_tags(reader, [seeds], plan, within)
        return await _best(store, found, limit)

    return [
        _tool(
            find_tags,
            "Find the tags that fit a text, by their words, similar contents and the linear scorer.",
            TextQuery,
        ),
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


def _tool(work: Callable[..., Awaitable[ToolResult]], description: str, arguments: type[BaseModel]) -> BaseTool:
    """Make a tool of a coroutine function, under its name; each call is traced where traces are on."""

    @wraps(work)
    async def traced(**given: Any) -> ToolResult:
        with span(work.__name__, "tool") as spanned:
            if spanned:
                spanned.add({"tool.name": work.__name__, "input.value": json.dumps(given)})
            found = await work(**given)
            spanned.describe(found=len(found))
            return found

    return StructuredTool.from_function(
        coroutine=traced,
        name=work.__name__,
        description=description,
        args_schema=arguments,
    )


async def _best(store: KnowledgeStore, found: Mapping[str, Evidence], limit: int) -> ToolResult:
    vocabulary = await store.vocabulary()
    best = strongest({tag: evidence.score for tag, evidence in found.items()}, limit)
    return [
        {"id": tag, "name": vocabulary[tag].name, "score": score, "evidence": found[tag].model_dump(mode="json")}
        for tag, score in best.items()
    ]
