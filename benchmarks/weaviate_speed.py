"""The Weaviate backend compared with the bare client and the embedded backend, on one server, in one run.

    scripts/weaviate run --data /tmp/server &            # prints the URL
    python -m benchmarks.weaviate_speed URL [--contents 10000] [--queries 200] [--json FILE]

Contents and vectors are synthetic. The bare client stores the very same objects in a collection of the same
layout, and asks the very same hybrid queries. Parity compares rankings with those of the
embedded store, which is exact.
"""

import asyncio
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.store_speed import DIMENSIONS, percentiles, random_embedder, synthetic
from llm4tag.knowledge_store import Collection, Hit, SearchQuery
from llm4tag.knowledge_store.embedded import EmbeddedStore
from llm4tag.knowledge_store.location import WeaviateLocation, parse_weaviate_location
from llm4tag.knowledge_store.weaviate import WeaviateStore
from llm4tag.knowledge_store.weaviate.connection import LOOP, Connection
from llm4tag.knowledge_store.weaviate.layout import SEARCH, StorePart, collection_name, make_collection
from llm4tag.knowledge_store.weaviate.objects import OrderNumbers, whole_object
from llm4tag.knowledge_store.word_tokens import segmented
from llm4tag.models.embedder import Vectors
from llm4tag.schema import TaggedContent

LIMIT = 50


def with_path(url: str, name: str) -> WeaviateLocation:
    """Return the location of a store of that name on the server."""
    base, _, query = url.partition("?")
    return parse_weaviate_location(f"{base.rstrip('/')}/{name}?{query}")


class BareCollection:
    """The client, used by hand."""

    def __init__(self, connection: Connection, vectors: Vectors) -> None:
        self._connection = connection
        self._name = collection_name(connection.location.name, StorePart.CONTENTS, 1)
        self._vectors = vectors

    async def ingest(self, contents: Sequence[TaggedContent], first: int) -> float:
        """Return the seconds that it takes, two requests of 200 objects side by side."""
        orders = OrderNumbers()
        handle = self._connection.collection(self._name)
        started = time.perf_counter()
        slots = asyncio.Semaphore(2)

        async def send(at: int) -> None:
            async with slots:
                rows = zip(contents[at : at + 200], self._vectors[first + at :], strict=False)
                objects = [whole_object(content, orders.next(), vector, None) for content, vector in rows]
                result = await handle.data.insert_many(objects)
                if result.has_errors:
                    raise RuntimeError(next(iter(result.errors.values())).message)

        await asyncio.gather(*(send(at) for at in range(0, len(contents), 200)))
        return time.perf_counter() - started

    async def ask(self, query: SearchQuery) -> float:
        """Return the seconds that one hybrid query takes."""
        from weaviate.classes.query import HybridFusion, MetadataQuery

        handle = self._connection.collection(self._name)
        assert query.vector is not None
        vector = query.vector.tolist()
        started = time.perf_counter()
        await handle.query.hybrid(
            segmented(query.text),
            alpha=query.alpha,
            vector=vector,
            target_vector=SEARCH,
            query_properties=["words_title", "words_text"],
            fusion_type=HybridFusion.RELATIVE_SCORE,
            limit=LIMIT,
            return_properties=["key"],
            return_metadata=MetadataQuery(score=True),
        )
        return time.perf_counter() - started


async def ingest_both(
    store: WeaviateStore, bare: BareCollection, contents: Sequence[TaggedContent]
) -> tuple[dict[str, float], float]:
    """Fill store and bare collection in turn, a quarter at a time, so that both see the same machine."""
    ours = theirs = 0.0
    quarter = -(-len(contents) // 4)
    for at in range(0, len(contents), quarter):
        some = contents[at : at + quarter]
        started = time.perf_counter()
        await store.upsert_contents(some)
        ours += time.perf_counter() - started
        theirs += await LOOP.run(bare.ingest(some, at))
    figures: dict[str, float] = {
        "ours_per_s": round(len(contents) / ours),
        "bare_per_s": round(len(contents) / theirs),
    }
    return figures, theirs / ours


def overlap(first: Sequence[Hit], second: Sequence[Hit], depth: int = 10) -> float:
    """Return the share of the first ``depth`` hits that both rankings have."""
    ids = {hit.id for hit in first[:depth]}
    return len(ids & {hit.id for hit in second[:depth]}) / max(1, len(ids))


async def measure(url: str, count: int, queries: int) -> dict[str, Any]:
    """Return all figures."""
    contents = synthetic(count)
    asked = synthetic(queries, seed=1)
    numbers = np.random.default_rng(7)
    rows = numbers.standard_normal((count, DIMENSIONS), dtype=np.float32)
    vectors: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    run = f"bench{uuid.uuid4().hex[:6]}"
    results: dict[str, Any] = {"contents": count, "queries": queries}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "exact.llm4tag"
        async with (
            await WeaviateStore.open(
                with_path(url, run), random_embedder, embedding="random", create=True
            ) as store,
            await EmbeddedStore.open(path, random_embedder, embedding="random", create=True) as exact,
        ):
            connection = await LOOP.run(Connection.open(with_path(url, f"{run}bare")))
            await LOOP.run(make_collection(connection, StorePart.CONTENTS, 1))
            bare = BareCollection(connection, vectors)
            results["ingest"], results["ingest_ratio"] = await ingest_both(store, bare, contents)
            await exact.import_records(store.export())
            questions = [
                SearchQuery(text=each.full_text, vector=await store.embed_query(each.full_text), limit=LIMIT)
                for each in asked
            ]
            results |= await ask_all(store, bare, exact, questions)
            await LOOP.run(connection.close())
    return results


async def ask_all(
    store: WeaviateStore, bare: BareCollection, exact: EmbeddedStore, questions: Sequence[SearchQuery]
) -> dict[str, Any]:
    """Ask every question of all three, one after the other."""
    ours, theirs, overlaps, differences = [], [], [], []
    for number, question in enumerate([*questions[:5], *questions]):
        started = time.perf_counter()
        found = await store.search(Collection.CONTENTS, question)
        between = time.perf_counter() - started
        bare_took = await LOOP.run(bare.ask(question))
        if number < 5:
            continue
        ours.append(between)
        theirs.append(bare_took)
        right = await exact.search(Collection.CONTENTS, question)
        overlaps.append(overlap(right, found))
        scores = {hit.id: hit.score for hit in right}
        differences += [abs(hit.score - scores[hit.id]) for hit in found[:10] if hit.id in scores]
    (ours_50, ours_95), (bare_50, bare_95) = percentiles(ours), percentiles(theirs)
    return {
        "hybrid_ms": {"ours_p50": ours_50, "ours_p95": ours_95, "bare_p50": bare_50, "bare_p95": bare_95},
        "hybrid_ratio_p50": ours_50 / bare_50,
        "hybrid_ratio_p95": ours_95 / bare_95,
        "overlap_at_10": statistics.fmean(overlaps),
        "score_difference": {"median": statistics.median(differences), "largest": max(differences)},
    }


def main(
    url: Annotated[str, typer.Argument(help="weaviate://host:port?grpc_port=…")],
    contents: Annotated[int, typer.Option(min=100)] = 10_000,
    queries: Annotated[int, typer.Option(min=10)] = 200,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Measure, and print the figures as JSON."""
    text = json.dumps(asyncio.run(measure(url, contents, queries)), indent=2)
    typer.echo(text)
    if json_file:
        json_file.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
