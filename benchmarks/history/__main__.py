"""Measure recall at growing sizes of history, by each recipe (the curves of the three recipes, before one recall).

python -m benchmarks.history FOLDER WORK --json FILE
"""

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.history.growth import SHOWN, Growth, history_of, in_order
from benchmarks.quality.data_sets import DataSet
from benchmarks.quality.measurement import quiet
from llm4tag.calibration.log_odds import Floats
from llm4tag.knowledge_store import KnowledgeStore
from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import Recipe, UsageError
from llm4tag.training.recall_fit import fit_recall

SMALL = (5, 20, 50, 100, 200)
LARGE = (500, 2000)


async def run(data: DataSet, work: Path, orders: int, large_orders: int, limit: int | None) -> dict[str, Any]:
    """Measure every recipe at every size."""
    growth = Growth(data, work, data.contents()[:limit])
    await growth.start()
    arrays: dict[str, list[Floats]] = {}
    confidences: dict[str, list[dict[str, Any]]] = {}

    async def record(size: str, recipe: Recipe, store: KnowledgeStore) -> None:
        try:
            found = await growth.measure(store, recipe)
        except UsageError:
            return  # Too few contents are richly tagged: no fusion was fitted.
        key = f"{recipe.value} {size}"
        arrays.setdefault(key, []).append(np.stack([found.by_document[name] for name in SHOWN]))
        confidences.setdefault(key, []).append(found.confidence)
        means = {name: round(float(value.mean()), 3) for name, value in found.by_document.items()}
        typer.echo(f"{key} {len(arrays[key])} {means} {found.confidence}")

    async with await open_store(str(growth.empty)) as store:
        await record("0", Recipe.VOCABULARY, store)
    history = history_of(data)
    for order in range(orders if history else 0):
        shuffled = in_order(history, order)
        place = work / "grown.llm4tag"
        shutil.copy(growth.empty, place)
        done = 0
        async with await open_store(str(place)) as store:
            sizes = (*SMALL, *(LARGE if order < large_orders else ()), *((len(history),) if order == 0 else ()))
            for size in sizes:
                await store.upsert_contents(shuffled[done:size])
                done = size
                name = "all" if size == len(history) else str(size)
                if size >= 200:
                    await fit_recall(store, quiet)
                    await record(name, Recipe.LEARNED, store)
                await record(name, Recipe.HISTORY, store)
                if name == "all":
                    await record(name, Recipe.VOCABULARY, store)
        place.unlink()
    kept = {key: np.stack(found).astype(np.float16) for key, found in arrays.items()}
    np.savez_compressed(work / "curves.npz", allow_pickle=False, **kept)
    return {
        "set": data.name,
        "command": ["python", "-m", "benchmarks.history", *sys.argv[1:]],
        "documents": len(growth.contents),
        "curves": {
            key: {
                "orders": len(found),
                **{name: round(float(np.stack(found)[:, i].mean()), 4) for i, name in enumerate(SHOWN)},
                "confidence": {
                    name: None
                    if confidences[key][0][name] is None
                    else round(float(np.mean([one[name] for one in confidences[key]])), 4)
                    for name in confidences[key][0]
                },
            }
            for key, found in arrays.items()
        },
    }


def main(
    folder: Path,
    work: Path,
    orders: int = 10,
    large_orders: int = 3,
    limit: int | None = None,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Print the figures of each store, and write their means as JSON."""
    found = asyncio.run(run(DataSet.of(folder, None, "dev"), work, orders, large_orders, limit))
    if json_file:
        json_file.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    typer.run(main)
