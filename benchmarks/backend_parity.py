"""Parity of the backends on real data: the same store in a file and on a server, the same queries.

    python -m benchmarks.backend_parity STORE weaviate://host:port/name CONTENTS.jsonl [--limit 200]

STORE is an embedded store; it is copied to the server first, where it stays. For every content the tags, their
units, the contents and the passages are searched: hybrid (alpha .5), by words only and by vector only.
"""

import asyncio
import json
import statistics
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.weaviate_speed import overlap
from llm4tag.knowledge_store import Collection, KnowledgeStore, SearchQuery
from llm4tag.knowledge_store.stores import copy_store, open_store

LIMIT = 50


async def compare(exact: KnowledgeStore, server: KnowledgeStore, texts: list[str]) -> dict[str, dict[str, float]]:
    """Return overlap@10 and the differences of scores, by collection and alpha."""
    vectors = await exact.embed_queries(texts)
    figures: dict[str, dict[str, float]] = {}
    for collection in Collection:
        for alpha in (0.0, 0.5, 1.0) if collection is not Collection.UNITS else (0.0,):
            queries = [
                SearchQuery(text=text, vector=vectors[n] if vectors else None, alpha=alpha, limit=LIMIT)
                for n, text in enumerate(texts)
            ]
            right = await exact.search_many(collection, queries)
            found = await server.search_many(collection, queries)
            if not any(right):
                continue
            differences = [0.0]
            for a, b in zip(right, found, strict=True):
                scores = {hit.id: hit.score for hit in a}
                differences += [abs(hit.score - scores[hit.id]) for hit in b[:10] if hit.id in scores]
            figures[f"{collection} alpha {alpha}"] = {
                "overlap_at_10": round(statistics.fmean(map(overlap, right, found)), 4),
                "median_difference": statistics.median(differences),
                "largest_difference": max(differences),
            }
    return figures


async def measure(store: str, url: str, texts: list[str]) -> dict[str, dict[str, float]]:
    """Copy the store to the server and compare."""
    await copy_store(store, url)
    async with await open_store(store) as exact, await open_store(url) as server:
        return await compare(exact, server, texts)


def main(
    store: str,
    url: str,
    contents: Annotated[Path, typer.Argument(exists=True)],
    limit: Annotated[int, typer.Option(min=1)] = 200,
) -> None:
    """Print the figures as JSON."""
    with contents.open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in islice(lines, limit)]
    typer.echo(json.dumps(asyncio.run(measure(store, url, texts)), indent=2))


if __name__ == "__main__":
    typer.run(main)
