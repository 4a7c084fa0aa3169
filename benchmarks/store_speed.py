"""Speed of the embedded knowledge store on synthetic contents: ``python -m benchmarks.store_speed [--json FILE]``.

Vectors are random, so that the store is measured and not an embedding model. Texts are Zipf-distributed words,
a third of them in Chinese characters; queries are as long as contents, like those of tagging.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from llm4tag.knowledge_store import Collection, SearchQuery
from llm4tag.knowledge_store.embedded import EmbeddedStore
from llm4tag.models.embedder import Embedder, EmbeddingKind, Progress, Vectors
from llm4tag.schema import Assignment, TaggedContent

DIMENSIONS = 384
WORDS = 60
TAGS = 600


class RandomEmbedder:
    """Gives every text a random direction."""

    name = "random"

    def __init__(self) -> None:
        self._numbers = np.random.default_rng(1)

    async def embed(self, texts: Sequence[str], kind: EmbeddingKind, progress: Progress | None = None) -> Vectors:
        """Return one random unit vector a text."""
        rows = self._numbers.standard_normal((len(texts), DIMENSIONS), dtype=np.float32)
        unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


def random_embedder(name: str) -> Embedder | None:
    """Make the random embedder."""
    return None if name == "none" else RandomEmbedder()


def synthetic(count: int, seed: int = 0) -> list[TaggedContent]:
    """Return contents of 60 words with three tags each."""
    numbers = np.random.default_rng(seed)
    words = [f"word{n}" if n % 3 else chr(0x4E00 + n % 20000) + chr(0x4E00 + n * 7 % 20000) for n in range(50_000)]
    ranks = numbers.zipf(1.2, size=(count, WORDS)) % len(words)
    tags = numbers.zipf(1.3, size=(count, 3)) % TAGS
    return [
        TaggedContent(
            id=f"{seed}-{n}",
            title=" ".join(words[rank] for rank in row[:6]),
            text=" ".join(words[rank] for rank in row[6:]),
            assignments=tuple(Assignment(tag=f"tag{tag}") for tag in set(tags[n].tolist())),
        )
        for n, row in enumerate(ranks)
    ]


def percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    """Return median and 95th percentile in milliseconds."""
    p50, p95 = np.percentile(np.array(seconds) * 1000, [50, 95])
    return round(float(p50), 2), round(float(p95), 2)


async def timed_searches(store: EmbeddedStore, contents: Sequence[TaggedContent]) -> list[float]:
    """Search with every content, one after the other."""
    taken = []
    for content in contents:
        query = SearchQuery(text=content.full_text, vector=await store.embed_query(content.full_text), limit=50)
        start = time.perf_counter()
        await store.search(Collection.CONTENTS, query)
        taken.append(time.perf_counter() - start)
    return taken


async def measure(folder: Path, count: int, queries: int) -> dict[str, float]:
    """Fill a store, open it again, search, and write between searches."""
    contents, asked = synthetic(count), synthetic(queries, seed=1)
    results: dict[str, float] = {"contents": count}
    for embedding in ("none", "random"):
        path = folder / f"{embedding}.llm4tag"
        start = time.perf_counter()
        async with await EmbeddedStore.open(path, random_embedder, embedding=embedding, create=True) as store:
            await store.upsert_contents(contents)
            results[f"upsert_{embedding}_per_s"] = round(count / (time.perf_counter() - start))
            start = time.perf_counter()
            await store.upsert_contents(contents)
            results[f"unchanged_{embedding}_per_s"] = round(count / (time.perf_counter() - start))
    results["megabytes"] = round(path.stat().st_size / 1e6, 1)

    opened = []
    for _ in range(3):
        start = time.perf_counter()
        async with await EmbeddedStore.open(path, random_embedder) as store:
            await timed_searches(store, asked[:1])
        opened.append(time.perf_counter() - start)
    results["open_and_first_search_ms"] = percentiles(opened)[0]

    async with await EmbeddedStore.open(path, random_embedder) as store:
        await timed_searches(store, asked[:5])
        taken = await timed_searches(store, asked)
        results["hybrid_p50_ms"], results["hybrid_p95_ms"] = percentiles(taken)
        written = []
        for content in synthetic(queries, seed=2):
            start = time.perf_counter()
            await store.upsert_contents([content])
            await timed_searches(store, asked[:1])
            written.append(time.perf_counter() - start)
        results["write_then_search_p50_ms"], results["write_then_search_p95_ms"] = percentiles(written)
    results["rebuild_over_delta"] = round(
        results["open_and_first_search_ms"] / results["write_then_search_p50_ms"], 1
    )
    return results


def main() -> None:
    """Run, print a table, and write JSON if a file is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contents", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = asyncio.run(measure(Path(folder), options.contents, options.queries))
    for name, value in results.items():
        print(f"{name:28} {value:>12,}")  # noqa: T201
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
