"""Nodes of recall: prepare the content, search along four paths, fuse what they find."""

import hashlib
import time

from langgraph.runtime import Runtime
from pydantic import ValidationError

from llm4tag.graphs.context import TagContext, runtime_of
from llm4tag.graphs.events import recall_event
from llm4tag.graphs.plan import plan_of
from llm4tag.graphs.state import TaggingState, Update
from llm4tag.schema import Content, Path, UsageError
from llm4tag.schema.errors import first_fault
from llm4tag.schema.text import without_surrogates
from llm4tag.tools import recall


def content_of(state: TaggingState) -> Content:
    """Return the validated input; a content without an id gets one from its text.

    Raises:
        UsageError: there is no text, or a field has the wrong type.
    """
    fields = {name: state[name] for name in ("id", "text", "title") if state.get(name) is not None}
    if isinstance(text := fields.get("text"), str) and "id" not in fields:
        body = without_surrogates(f"{fields.get('title', '')}\n{text}")
        digest = hashlib.sha256(body.encode()).hexdigest()
        fields["id"] = f"content:{digest[:16]}"
    try:
        content = Content.model_validate(fields)
    except ValidationError as error:
        fault = first_fault(error)
        raise UsageError(
            fault.words, where=f"content field {fault.field!r}", remedy="give {'text': …} with text as a string"
        ) from error
    if not content.full_text.strip():
        raise UsageError(
            "there is no text", where=f"content {content.id!r}", remedy="give 'text' at least one word"
        )
    return content


async def prepare(state: TaggingState, runtime: Runtime[TagContext]) -> Update:
    """Validate the content, embed it and plan the first round by what the store holds."""
    started = time.time()
    content = content_of(state)
    tagging = await runtime_of(runtime)
    await recall.allowed_tags(tagging.reader, tagging.options.within)
    runtime.stream_writer({"stage": "prepare", "id": content.id})
    plan = await plan_of(tagging)
    fit = await tagging.reader.recall_fit()
    warning = fit.warning(plan.tagged_contents) if fit else ""
    (query,) = await recall.queries_for(tagging.reader, [content.full_text], [content.id])
    return {
        "started": started,
        "content": content,
        "query": query,
        "plan": plan,
        "remarks": [warning] if warning else [],
    }


async def search_tags(state: TaggingState, runtime: Runtime[TagContext]) -> Update:
    """C2T: search the tags by the content's words and vectors."""
    tagging, plan = await runtime_of(runtime), state["plan"].recall
    if Path.C2T not in plan.paths:
        return {}
    (found,) = await recall.search_tags(tagging.reader, [state["query"]], plan, tagging.options.within)
    runtime.stream_writer({"stage": "search_tags", "found": len(found), "round": plan.round})
    return {"found": {Path.C2T: found}}


async def search_contents(state: TaggingState, runtime: Runtime[TagContext]) -> Update:
    """C2C2T: search similar contents and take their tags."""
    tagging, plan = await runtime_of(runtime), state["plan"].recall
    if Path.C2C2T not in plan.paths:
        return {}
    (found,) = await recall.search_contents(tagging.reader, [state["query"]], plan, tagging.options.within)
    runtime.stream_writer({"stage": "search_contents", "found": len(found), "round": plan.round})
    return {"found": {Path.C2C2T: found}}


async def classify(state: TaggingState, runtime: Runtime[TagContext]) -> Update:
    """Linear: score the content by the one-vs-rest scorer that was fitted on history."""
    tagging, plan = await runtime_of(runtime), state["plan"].recall
    if not plan.follows(Path.LINEAR) or await tagging.reader.recall_fit() is None:
        return {}
    (found,) = await recall.classify(tagging.reader, [state["query"]], plan, tagging.options.within)
    runtime.stream_writer({"stage": "classify", "found": len(found), "round": plan.round})
    return {"found": {Path.LINEAR: found}}


async def follow_tags(state: TaggingState, runtime: Runtime[TagContext]) -> Update:
    """T2T: follow the tag graph from the candidates of earlier rounds."""
    tagging, plan = await runtime_of(runtime), state["plan"].recall
    if not plan.follows(Path.T2T):
        return {}
    seeds = {candidate.tag: candidate.score for candidate in state.get("candidates", ())}
    (found,) = await recall.follow_tags(tagging.reader, [seeds], plan, tagging.options.within)
    runtime.stream_writer({"stage": "follow_tags", "found": len(found), "round": plan.round})
    return {"found": {Path.T2T: found}}


async def fuse_candidates(state: TaggingState, runtime: Runtime[TagContext]) -> Update:
    """Fuse the evidence of all paths and rounds into one list of candidates."""
    tagging = await runtime_of(runtime)
    (recalled,) = await recall.fuse_found(
        tagging.reader, [state["query"]], [state.get("found", {})], state["plan"].recall
    )
    counts = {"candidates": len(recalled.candidates)}
    event = await recall_event(tagging, recalled.candidates)
    runtime.stream_writer({"stage": "fuse_candidates", **counts, **event})
    return {"candidates": recalled.candidates, "unseen": recalled.unseen}
