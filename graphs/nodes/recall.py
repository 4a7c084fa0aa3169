"""Prepare the content, recall candidates along three paths, fuse them."""

import hashlib
import time
from typing import Any

import numpy as np
from langgraph.runtime import Runtime
from pydantic import ValidationError

from llm4tag.calibration.features import Backing
from llm4tag.graphs.context import TagOptions
from llm4tag.graphs.planning import planned
from llm4tag.graphs.resources import Resources, resources_for
from llm4tag.graphs.state import Query, TaggingState
from llm4tag.graphs.telling import tell_recall
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.knowledge_store.query_checks import tags_under
from llm4tag.models.embedder import Vector
from llm4tag.schema import Content, Path, Recipe, UsageError
from llm4tag.schema.errors import first_fault
from llm4tag.tools.content_to_tag import recall_by_text
from llm4tag.tools.fitted_recall import FittedRecall
from llm4tag.tools.fusion import best_by_words, fuse, fuse_by_probability
from llm4tag.tools.linear_scores import recall_by_linear
from llm4tag.tools.parts import parts_of
from llm4tag.tools.similar_contents import recall_by_contents
from llm4tag.tools.tag_to_tag import recall_by_tags

Update = dict[str, Any]


def options_of(runtime: Runtime[TagOptions]) -> TagOptions:
    """Return the caller's options; a caller in-process may pass none at all."""
    return runtime.context or TagOptions()


async def open_for(runtime: Runtime[TagOptions]) -> tuple[TagOptions, Resources]:
    """Return the options with the open store and LLM."""
    options = options_of(runtime)
    return options, await resources_for(options)


def content_of(state: TaggingState) -> Content:
    """Validate the input; a content without an id gets one from its text.

    Raises:
        UsageError: no text, or a field of the wrong type.
    """
    fields = {name: state[name] for name in ("id", "text", "title") if state.get(name) is not None}
    if isinstance(text := fields.get("text"), str) and "id" not in fields:
        digest = hashlib.sha256(f"{fields.get('title', '')}\n{text}".encode(errors="replace")).hexdigest()
        fields["id"] = f"content:{digest[:16]}"
    try:
        content = Content.model_validate(fields)
    except ValidationError as error:
        fault = first_fault(error)
        raise UsageError(
            f"Content field {fault.field!r}: {fault.message}. Give {{'text': …}} with text as a string."
        ) from error
    if not content.full_text.strip():
        raise UsageError(f"Content {content.id!r} has no text. Give 'text' at least one word.")
    return content


async def prepare(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """Validate the content, embed it and plan the first round by what the store holds."""
    started = time.time()
    content = content_of(state)
    options, resources = await open_for(runtime)
    await check_within(resources.store, options.within)
    runtime.stream_writer({"stage": "prepare", "id": content.id})
    tagged, plan, steps = await planned(options, resources)
    fitted = await resources.fitted()
    stale = fitted.stale(tagged) if fitted and (plan.recipe is Recipe.LEARNED or Path.LINEAR in plan.paths) else ""
    return {
        "started": started,
        "content": content,
        "query": await query_for(resources.store, content.full_text),
        "plan": plan,
        "steps": steps,
        "tagged_contents": tagged,
        "remarks": [stale] if stale else [],
    }


async def check_within(store: KnowledgeStore, within: str | None) -> None:
    """Raise UsageError when ``within`` is nobody's parent."""
    if within is not None:
        tags_under(await store.vocabulary(), within)


async def query_for(store: KnowledgeStore, text: str) -> Query:
    """Embed a text to search with."""
    vector = await store.embed_query(text)
    return Query(text=text, vector=None if vector is None else tuple(float(x) for x in vector))


def vector_of(query: Query) -> Vector | None:
    """Return the query's vector as an array."""
    return None if query.vector is None else np.asarray(query.vector, dtype=np.float32)


async def search_tags(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """C2T: search the tags by the content's words and vectors."""
    options, resources = await open_for(runtime)
    plan, query = state["plan"], state["query"]
    if Path.C2T not in plan.paths:
        return {}
    vectors: list[tuple[str, Vector]] = []
    whole = vector_of(query)
    if whole is not None:
        parts = parts_of(query.text, plan.parts)
        embedded = (await resources.store.embed_queries(parts) if parts else None) or []
        vectors = [("", whole), *zip(parts, embedded, strict=True)]
    found = await recall_by_text(
        resources.store, query.text, vectors, plan, await resources.phrases(), options.within
    )
    runtime.stream_writer({"stage": "search_tags", "found": len(found), "round": plan.round})
    return {"found": {Path.C2T: found}}


async def search_contents(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """C2C2T: search similar contents and take their tags."""
    options, resources = await open_for(runtime)
    plan, query = state["plan"], state["query"]
    if Path.C2C2T not in plan.paths:
        return {}
    found = await recall_by_contents(
        resources.store,
        query.text,
        vector_of(query),
        plan,
        exclude=frozenset({state["content"].id}),
        within=options.within,
    )
    runtime.stream_writer({"stage": "search_contents", "found": len(found), "round": plan.round})
    return {"found": {Path.C2C2T: found}}


async def classify(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """Linear: score the content by the one-vs-rest model that was fitted on history."""
    options, resources = await open_for(runtime)
    plan, query = state["plan"], state["query"]
    fitted = await resources.fitted()
    if fitted is None or plan.weight(Path.LINEAR) == 0:
        return {}
    vocabulary = await resources.store.vocabulary()
    allowed = vocabulary.assignable if options.within is None else vocabulary.within(options.within)
    content = state["content"].id
    found = recall_by_linear(fitted.linear, query.text, vector_of(query), plan, allowed, content)
    runtime.stream_writer({"stage": "classify", "found": len(found), "round": plan.round})
    return {"found": {Path.LINEAR: found}}


async def follow_tags(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """T2T: follow the tag graph from what earlier rounds found."""
    options, resources = await open_for(runtime)
    plan = state["plan"]
    if plan.weight(Path.T2T) == 0:
        return {}
    seeds = {candidate.tag: candidate.score for candidate in state.get("candidates", ())}
    found = await recall_by_tags(resources.store, seeds, plan, options.within)
    runtime.stream_writer({"stage": "follow_tags", "found": len(found), "round": plan.round})
    return {"found": {Path.T2T: found}}


async def fuse_candidates(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """Fuse the evidence of all paths and rounds into one list of candidates."""
    options, resources = await open_for(runtime)
    plan, found = state["plan"], state.get("found", {})
    fitted = await resources.fitted() if plan.recipe is Recipe.LEARNED else None
    unseen: list[str] = []
    if fitted is not None and fitted.fusion is not None:
        backing = await backing_of(resources.store, fitted, plan.paths)
        candidates = fuse_by_probability(found, plan, fitted.fusion, backing)
        unseen = best_by_words(candidates, backing.classified)
    else:
        candidates = fuse(found, plan)
    told = await tell_recall(options, resources, plan, candidates)
    runtime.stream_writer({"stage": "fuse", "candidates": len(candidates), **told})
    return {"candidates": candidates, "unseen": unseen}


async def backing_of(store: KnowledgeStore, fitted: FittedRecall, paths: frozenset[Path]) -> Backing:
    """Return what stands behind the tags now."""
    counts = {tag: count.human for tag, count in (await store.tag_counts()).items()}
    return Backing(counts=counts, classified=fitted.linear.known if Path.LINEAR in paths else frozenset())
