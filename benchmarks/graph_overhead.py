"""What the graph adds to recall: the same recall as one call and through the graph, side by side.

    python -m benchmarks.graph_overhead STORE CONTENTS.jsonl [--limit 100]

Every content goes both ways in turn, after a warm-up; embeddings of the contents come from the cache both times.
"""

import asyncio
import json
import statistics
import time
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from llm4tag.calibration.confidence import combine, weights_for
from llm4tag.calibration.signals import gather, recall_of
from llm4tag.graphs.decide import calibrator_for, decisions_on
from llm4tag.graphs.plan import plan_of
from llm4tag.graphs.runtime import TaggingRuntime
from llm4tag.schema import Content
from llm4tag.tagger import Tagger
from llm4tag.tools import recall


async def without_graph(runtime: TaggingRuntime, content: Content) -> int:
    """Tag one content by calling recall and decision as plain functions; return the number of tags."""
    plan = await plan_of(runtime)
    queries = await recall.queries_for(runtime.reader, [content.full_text], [content.id])
    (found,) = await recall.recall(runtime.reader, queries, plan.recall)
    signals = gather(recall_of(found.candidates), {}, {})
    scored = combine(found.candidates, signals, weights_for(plan.tagged_contents))
    verdict = (await calibrator_for(runtime, plan)).verdict(None)
    return len(decisions_on(scored, await runtime.store.vocabulary(), runtime, verdict))


async def measure(store: str, contents: list[Content]) -> dict[str, float]:
    """Return medians in milliseconds, and their difference and ratio."""
    parts: list[float] = []
    whole: list[float] = []
    async with Tagger(store, use_llm=False, max_rounds=1, uncalibrated=True) as tagger:
        runtime = await tagger.runtime()
        for number, content in enumerate([*contents[:5], *contents]):
            started = time.perf_counter()
            await without_graph(runtime, content)
            between = time.perf_counter()
            await tagger.atag(content)
            ended = time.perf_counter()
            if number >= 5:
                parts.append(1000 * (between - started))
                whole.append(1000 * (ended - between))
    differences = [b - a for a, b in zip(parts, whole, strict=True)]
    return {
        "contents": len(contents),
        "functions_ms_p50": statistics.median(parts),
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
