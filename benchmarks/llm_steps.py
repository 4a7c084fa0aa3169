"""Gain and cost of each step of the LLM, on the same documents, from cached answers.

    python -m benchmarks.llm_steps STORE LABELLED [--limit N] [--seed S] [--adapter DIR] [--whole NAME] [--live]
        [--only NAME …] [--json FILE]

Documents for which the configuration --whole (both) has an answer that is not cached are left out everywhere, and
a configuration that lacks an answer for another document is left out itself; --live asks these questions instead.
Ranking is in the order of the results. Log loss is that of a calibration on the signals, cross-validated by
document, over the 40 best candidates by recall. Differences are to recall alone, with 95 % intervals by a
bootstrap that draws the same documents for both.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.llm.llm_figures import draw
from benchmarks.llm.paired_comparison import compare, labelled, picked, save
from llm4tag.training.calibrator_fit import FEWEST_DOCUMENTS

BOTH = {"samples": 3}
CONFIGURATIONS: Mapping[str, Mapping[str, Any]] = {
    "recall alone": {"use_llm": False},
    "1 sample": {"samples": 1, "judge_top": 0},
    "3 samples": {"samples": 3, "judge_top": 0},
    "judge": {"samples": 0},
    "judge, cascade": {"samples": 0, "cascade": True},
    "judge, two rounds": {"samples": 0, "max_rounds": 2},
    "both": BOTH,
    "rating": {"samples": 0, "rating": True},
    "both, cascade": {**BOTH, "cascade": True},
    "both, adaptive": {**BOTH, "adaptive": True},
    "both, cascade, adaptive": {**BOTH, "cascade": True, "adaptive": True},
    "recall alone, two rounds": {"use_llm": False, "max_rounds": 2},
    "both, two rounds": {**BOTH, "max_rounds": 2},
}


def main(
    store: str,
    file: Annotated[Path, typer.Argument(exists=True)],
    limit: Annotated[int | None, typer.Option(min=FEWEST_DOCUMENTS)] = None,
    seed: int = 0,
    model: str | None = None,
    adapter: str | None = None,
    judge_form: str | None = None,
    whole: Annotated[str, typer.Option(help="The configuration whose answers must all be cached.")] = "both",
    live: Annotated[bool, typer.Option("--live", help="Ask questions whose answer is not cached.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="Configurations in addition to 'recall alone' and --whole.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Measure, print a table, and write the figures as JSON."""
    chosen = picked(CONFIGURATIONS, only, ("recall alone", whole))
    models = {"model": model, "adapter": adapter, "judge_form": judge_form}
    configurations = {name: {**models, **CONFIGURATIONS[name]} for name in chosen}

    async def measure() -> dict[str, Any]:
        contents, gold = await labelled(store, file, limit, seed)
        return await compare(store, contents, gold, configurations, whole=whole, live=live, seed=seed)

    report = asyncio.run(measure())
    Console(width=200).print(draw(report))
    save(report, json_file)


if __name__ == "__main__":
    typer.run(main)
