"""The node of short-term knowledge: what the prompt shows in addition to the content (paper section 3.2)."""

import asyncio

from langgraph.runtime import Runtime

from llm4tag.graphs.context import TagContext, runtime_of
from llm4tag.graphs.events import knowledge_event
from llm4tag.graphs.runtime import TaggingRuntime
from llm4tag.graphs.state import TaggingState, Update
from llm4tag.prompts import PromptContext
from llm4tag.tools.prompt_knowledge import related_passages, similar_examples

_TRUNCATED = "the LLM saw only the beginning of this long content"
_JUDGE_TRUNCATED = (
    "the fine-tuned judge saw only the first {limit:,} characters of this content, as in its training"
)


async def retrieve_knowledge(state: TaggingState, runtime: Runtime[TagContext]) -> Update:
    """Find similar tagged contents and passages of background knowledge.

    Later rounds use the first prompt again: judgements of one content are compared, so they must share one
    context.
    """
    if "prompt" in state:
        return {}
    tagging = await runtime_of(runtime)
    query, questions = state["query"], state["plan"].questions
    examples, passages = await asyncio.gather(
        similar_examples(tagging.store, state["candidates"], questions.examples, questions.negatives),
        related_passages(tagging.store, query.text, query.array, questions.passages),
    )
    prompt = PromptContext(
        content=state["content"],
        words=tagging.profile.words,
        examples=tuple(examples),
        passages=tuple(passages),
    )
    counts = {"examples": len(examples), "passages": len(passages)}
    runtime.stream_writer({"stage": "retrieve_knowledge", **counts, **knowledge_event(tagging.options, prompt)})
    return {"prompt": prompt, "remarks": _remarks(prompt, tagging)}


def _remarks(prompt: PromptContext, tagging: TaggingRuntime) -> list[str]:
    """Return what the LLM does not see of a long content."""
    remarks = [_TRUNCATED] if prompt.truncated else []
    if tagging.llm is not None and (adapter := tagging.llm.adapter) is not None:
        limit = adapter.card.limits.text
        if len(prompt.content.full_text) > limit:
            remarks.append(_JUDGE_TRUNCATED.format(limit=limit))
    return remarks
