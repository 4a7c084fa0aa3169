"""Measure the fit of recall at growing sizes of history: seconds, memory, bytes in the store, and its worth.

    python -m benchmarks.fit_growth FOLDER WORK --sizes 1000,10000,80000 [--embedding none] [--bonsai]

FOLDER is a set as for benchmarks.quality. Each step runs in a process of its own, so that its memory is its own.
With --bonsai Omikuji's Bonsai, the engine of Annif (`pip install omikuji`), is trained with Annif's settings on
the same terms of the same contents. --json FILE writes the figures.
"""

import asyncio
import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.history.growth import SHOWN, Growth, history_of, in_order
from benchmarks.quality.data_sets import DataSet
from benchmarks.quality.measurement import command_line, ingest_tags, peak_mb
from llm4tag.evaluation.metrics import RANKING, RankedTags
from llm4tag.knowledge_store.stores import open_store
from llm4tag.models.embedder import Progress
from llm4tag.tools.artifacts import FUSION, LINEAR
from llm4tag.tools.terms import TermWeights
from llm4tag.training.recall_fit import fit_recall

Figures = dict[str, Any]
_BLOCK = 5000
_SHOWN_BY_BONSAI = 100


def fill(folder: Path, place: Path, size: int, embedding: str) -> Figures:
    """Make a store with a part of the history."""

    async def run() -> None:
        data = DataSet.of(folder, None, "dev")
        async with await open_store(str(place), embedding=embedding, create=True) as store:
            await ingest_tags(store, data)
            contents = in_order(history_of(data), 0)[:size]
            for start in range(0, len(contents), _BLOCK):
                await store.upsert_contents(contents[start : start + _BLOCK])

    began = time.perf_counter()
    asyncio.run(run())
    return {"ingest_s": _since(began)}


def fit(place: Path) -> Figures:
    """Fit recall."""
    found: Figures = {}

    @contextmanager
    def timed(label: str, total: int, unit: str) -> Iterator[Progress]:
        began = time.perf_counter()
        yield lambda done: None
        found[f"{label}_s"] = _since(began)

    async def run() -> None:
        async with await open_store(str(place)) as store:
            found["report"] = (await fit_recall(store, timed)).model_dump()
            for name in (LINEAR, FUSION):
                found[f"{name}_MB"] = round(len(await store.get_artifact(name) or b"") / 1e6, 1)

    began, spent = time.perf_counter(), time.process_time()
    asyncio.run(run())
    return {
        "fit_s": _since(began),
        "fit_cpu_s": round(time.process_time() - spent, 1),
        "fit_peak_MB": peak_mb(),
        **found,
    }


def measure(folder: Path, place: Path, limit: int) -> Figures:
    """Recall the labelled contents of dev."""

    async def run() -> Figures:
        data = DataSet.of(folder, None, "dev")
        growth = Growth(data, place.parent, data.contents()[:limit])
        async with await open_store(str(place)) as store:
            found = await growth.measure(store)
        means = zip(SHOWN, found.by_document.mean(1), strict=True)
        return {**{name: round(float(value), 4) for name, value in means}, "confidence": found.confidence}

    began = time.perf_counter()
    found = asyncio.run(run())
    return {**found, "measure_s": _since(began), "measure_peak_MB": peak_mb()}


def bonsai(folder: Path, size: int, limit: int, work: Path) -> Figures:
    """Train Bonsai on the same terms, and rank the tags of the labelled contents."""
    import omikuji  # type: ignore[import-not-found]

    data = DataSet.of(folder, None, "dev")
    contents = in_order(history_of(data), 0)[:size]
    began = time.perf_counter()
    texts = [content.full_text for content in contents]
    terms = TermWeights.fit(texts)
    rows = terms.rows(texts)
    tags = sorted({item.tag for content in contents for item in content.assignments})
    column = {tag: number for number, tag in enumerate(tags)}
    file = work / "bonsai.txt"
    with file.open("w") as out:
        out.write(f"{len(texts)} {len(terms.terms)} {len(tags)}\n")
        for row, content in enumerate(contents):
            given = ",".join(str(column[item.tag]) for item in content.assignments)
            part = slice(rows.indptr[row], rows.indptr[row + 1])
            pairs = zip(rows.indices[part], rows.data[part], strict=True)
            out.write(f"{given} {' '.join(f'{number}:{value:.4g}' for number, value in pairs)}\n")
    settings = omikuji.Model.default_hyper_param()
    settings.cluster_balanced, settings.cluster_k, settings.max_depth = False, 100, 3
    model = omikuji.Model.train_on_data(str(file), settings, n_threads=os.cpu_count())
    figures: Figures = {"fit_s": _since(began), "fit_peak_MB": peak_mb()}
    ranked = []
    for one in data.contents()[:limit]:
        row = terms.rows([one.content.full_text])
        found = model.predict(
            list(zip(row.indices.tolist(), row.data.tolist(), strict=True)), top_k=_SHOWN_BY_BONSAI
        )
        ranked.append(RankedTags(tuple(tags[n] for n, _ in found), tuple(score for _, score in found), one.gold))
    return {
        **figures,
        **{name: round(float(np.mean([RANKING[name](one) for one in ranked])), 4) for name in SHOWN},
    }


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 1)


def _apart(step: Callable[[], Figures]) -> Figures:
    """Run a step in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(step)


def main(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    work: Path,
    sizes: str = "1000,10000,80000",
    embedding: str = "none",
    limit: int = 300,
    with_bonsai: Annotated[bool, typer.Option("--bonsai")] = False,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Print the figures of each size, and write them as JSON."""
    work.mkdir(parents=True, exist_ok=True)
    found: Figures = {"command": command_line("benchmarks.fit_growth"), "sizes": {}}
    for size in (int(one) for one in sizes.split(",")):
        empty = work / f"{folder.name}.{size}.llm4tag"
        place = work / "fitted.llm4tag"
        figures: Figures = {}
        if not empty.exists():
            figures |= _apart(partial(fill, folder, empty, size, embedding))
        shutil.copy(empty, place)
        figures |= _apart(partial(fit, place))
        figures |= _apart(partial(measure, folder, place, limit))
        found["sizes"][size] = {"llm4tag": figures}
        typer.echo(f"{size:,}: {figures}")
        if with_bonsai:
            other = _apart(partial(bonsai, folder, size, limit, work))
            found["sizes"][size]["bonsai"] = other
            typer.echo(f"{size:,}, Bonsai: {other}")
    if json_file is not None:
        json_file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
