"""Retrieve short-term knowledge: what the prompt shows beside the content (paper section 3.2)."""

import asyncio

from langgraph.runtime import Runtime

from llm4tag.graphs.context import TagOptions
from llm4tag.graphs.nodes.recall import Update, open_for, vector_of
from llm4tag.graphs.resources import Resources
from llm4tag.graphs.state import TaggingState
from llm4tag.graphs.telling import tell_knowledge
from llm4tag.prompts import PromptContext
from llm4tag.tools.knowledge import related_passages, similar_examples

_TRUNCATED = "the LLM saw only the beginning of this long content"
_JUDGE_TRUNCATED = (
    "the fine-tuned judge saw only the first {limit:,} characters of this content, as in its training"
)


async def retrieve_knowledge(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """Find similar tagged examples and passages of background knowledge.

    Later rounds keep the first prompt: judgements of one content are compared, so they share one context.
    """
    options, resources = await open_for(runtime)
    if "prompt" in state:
        return {}
    query, steps = state["query"], state["steps"]
    examples, passages = await asyncio.gather(
        similar_examples(resources.store, state["candidates"], steps.examples, steps.negatives),
        related_passages(resources.store, query.text, vector_of(query), steps.passages),
    )
    prompt = PromptContext(
        content=state["content"],
        words=resources.profile.words,
        examples=tuple(examples),
        passages=tuple(passages),
    )
    counts = {"examples": len(examples), "passages": len(passages)}
    runtime.stream_writer({"stage": "retrieve_knowledge", **counts, **tell_knowledge(options, prompt)})
    return {"prompt": prompt, "remarks": _remarks(prompt, resources)}


def _remarks(prompt: PromptContext, resources: Resources) -> list[str]:
    """Say of a long content what the LLM does not see of it."""
    remarks = [_TRUNCATED] if prompt.truncated else []
    if resources.llm is not None and (adapter := resources.llm.adapter) is not None:
        limit = adapter.card.limits.text
        if len(prompt.content.full_text) > limit:
            remarks.append(_JUDGE_TRUNCATED.format(limit=limit))
    return remarks
