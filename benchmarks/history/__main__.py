"""Measure recall at growing sizes of history, without an LLM.

    python -m benchmarks.history FOLDER WORK [--json FILE] [--picture FILE.png] [--limit N]

FOLDER is a set as for benchmarks.quality; stores are made in WORK. At 0, 5, 20, 50, 100, 200, 500, 2,000 and all
contents, in ten nested random orders up to 200 and three beyond, recall is fitted and the labelled contents are
recalled. The curves of the three recipes that recall had before are in three_recipes/, measured by this command at
commit df514db.
"""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.history.curves import draw_curves, falls, mean_of
from benchmarks.history.growth import SHOWN, Growth
from benchmarks.quality.data_sets import DataSet
from benchmarks.quality.measurement import command_line
from llm4tag.calibration.log_odds import Floats

_BEFORE = Path(__file__).parent / "three_recipes"


async def run(
    data: DataSet, work: Path, orders: int, large_orders: int, limit: int | None, most: int | None
) -> dict[str, Any]:
    """Measure every size; print the figures of each store."""
    growth = Growth(data, work, data.contents()[:limit])
    await growth.start()
    arrays: dict[str, list[Floats]] = {}
    confidences: dict[str, list[dict[str, float | None]]] = {}
    async for size, order, store in growth.grow(orders, large_orders, most):
        found = await growth.measure(store)
        arrays.setdefault(size, []).append(found.by_document)
        confidences.setdefault(size, []).append(found.confidence)
        shown = {
            name: round(float(value), 3) for name, value in zip(SHOWN, found.by_document.mean(1), strict=True)
        }
        shown |= {name: round(value, 3) for name, value in found.confidence.items() if value is not None}
        typer.echo(f"{size} contents, order {order}: {shown}")
    stacked = {size: np.stack(some) for size, some in arrays.items()}
    return {
        "set": data.name,
        "command": command_line("benchmarks.history"),
        "documents": len(growth.contents),
        "curves": {
            size: {
                "orders": len(some),
                **{name: round(float(some[:, place].mean()), 4) for place, name in enumerate(SHOWN)},
                "confidence": mean_of(confidences[size]),
            }
            for size, some in stacked.items()
        },
        "falls": falls(stacked),
    }


def main(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    work: Path,
    orders: int = 10,
    large_orders: int = 3,
    limit: int | None = None,
    most: Annotated[int | None, typer.Option(help="The largest size.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
    picture: Path | None = None,
) -> None:
    """Print the figures of each store, write their means as JSON and the curves as a picture."""
    found = asyncio.run(run(DataSet.of(folder, None, "dev"), work, orders, large_orders, limit, most))
    for fall in found["falls"]:
        typer.echo(f"falls: {fall}")
    if json_file is not None:
        json_file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if picture is not None:
        before = _BEFORE / f"{found['set']}.json"
        picture.write_bytes(draw_curves(found, json.loads(before.read_text()) if before.exists() else None))


if __name__ == "__main__":
    typer.run(main)
