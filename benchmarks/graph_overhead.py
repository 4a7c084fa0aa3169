"""Overhead of the graph: the same recall run as plain functions and through the graph, compared.

    python -m benchmarks.graph_overhead STORE CONTENTS.jsonl [--limit 100]

Every content goes both ways in turn, after a warm-up; embeddings of the contents come from the cache both times.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from llm4tag.calibration.confidence import combine
from llm4tag.calibration.signals import gather
from llm4tag.graphs.context import TagOptions
from llm4tag.graphs.nodes.recall import backing_of, query_for, vector_of
from llm4tag.graphs.planning import planned
from llm4tag.graphs.recall_signal import recall_of, weights_of
from llm4tag.graphs.resources import Resources, close_resources, resources_for
from llm4tag.graphs.scoring import decisions_for
from llm4tag.graphs.standing import standing_of
from llm4tag.graphs.tagging import graph
from llm4tag.models.embedder import Vector
from llm4tag.schema import Content, Evidence, Recipe
from llm4tag.schema import Path as RecallPath
from llm4tag.tools.content_to_tag import recall_by_text
from llm4tag.tools.fusion import fuse, fuse_by_probability
from llm4tag.tools.linear_scores import recall_by_linear
from llm4tag.tools.parts import parts_of
from llm4tag.tools.similar_contents import recall_by_contents


async def plainly(resources: Resources, content: Content, options: TagOptions) -> int:
    """Tag one content by calling the parts one after another."""
    store = resources.store
    fitted = await resources.fitted()
    made = await planned(options, resources)
    plan = made.plan
    query = await query_for(store, content.full_text)
    vectors: list[tuple[str, Vector]] = []
    whole = vector_of(query)
    if whole is not None:
        parts = parts_of(query.text, plan.parts)
        vectors = [
            ("", whole),
            *zip(parts, (await store.embed_queries(parts) if parts else None) or [], strict=True),
        ]
    by_text, by_contents = await asyncio.gather(
        recall_by_text(store, query.text, vectors, plan, await resources.phrases()),
        recall_by_contents(store, query.text, whole, plan, frozenset({content.id})),
    )
    found: dict[RecallPath, Mapping[str, Evidence]] = {RecallPath.C2T: by_text, RecallPath.C2C2T: by_contents}
    if fitted is not None:
        allowed = (await store.vocabulary()).assignable
        found[RecallPath.LINEAR] = recall_by_linear(fitted.linear, query.text, whole, plan, allowed, content.id)
    if plan.recipe is Recipe.LEARNED and fitted is not None and fitted.fusion is not None:
        candidates = fuse_by_probability(found, plan, fitted.fusion, await backing_of(store, fitted, plan.paths))
    else:
        candidates = fuse(found, plan)
    scored = combine(candidates, gather(recall_of(plan, candidates), {}, {}), weights_of(plan))
    verdict = (await standing_of(options, resources, made)).verdict(None)
    return len(decisions_for(scored, await store.vocabulary(), options, verdict))


async def measure(store: str, contents: list[Content]) -> dict[str, float]:
    """Return medians in milliseconds, and their difference and ratio."""
    options = TagOptions(store=store, use_llm=False, max_rounds=1, uncalibrated=True)
    resources = await resources_for(options)
    parts: list[float] = []
    whole: list[float] = []
    for number, content in enumerate([*contents[:5], *contents]):
        started = time.perf_counter()
        await plainly(resources, content, options)
        between = time.perf_counter()
        await graph.ainvoke({"id": content.id, "text": content.text}, context=options)
        ended = time.perf_counter()
        if number >= 5:
            parts.append(1000 * (between - started))
            whole.append(1000 * (ended - between))
    await close_resources()
    differences = [b - a for a, b in zip(parts, whole, strict=True)]
    return {
        "contents": len(contents),
        "parts_ms_p50": statistics.median(parts),
        "graph_ms_p50": statistics.median(whole),
        "overhead_ms_p50": statistics.median(differences),
        "ratio": statistics.median(whole) / statistics.median(parts),
    }


def main(
    store: str,
    contents: Annotated[Path, typer.Argument(exists=True)],
    limit: Annotated[int, typer.Option(min=1)] = 100,
) -> None:
    """Print the figures as JSON."""
    with contents.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in islice(lines, limit)]
    chosen = [Content(id=row["id"], text=row["text"]) for row in rows]
    typer.echo(json.dumps(asyncio.run(measure(store, chosen)), indent=2))


if __name__ == "__main__":
    typer.run(main)
