"""Tag the same documents by several configurations, and measure those that all of them tagged without failure."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from benchmarks.llm.llm_figures import MEASURED, figures
from benchmarks.llm.metered_llm import Meter, tag
from llm4tag.evaluation.labelled_files import sample_ids
from llm4tag.input_contents import read_labelled_contents
from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import Content, TagResult
from llm4tag.training.calibrator_fit import FEWEST_DOCUMENTS

Configurations = Mapping[str, Mapping[str, Any]]


def picked(
    known: Configurations, only: Sequence[str] | None, always: Sequence[str] = ("recall alone",)
) -> list[str]:
    """Return the names of the configurations to run, in their order: all, or ``only`` and ``always``.

    Raises:
        typer.BadParameter: there is no configuration of such a name.
    """
    if unknown := {*always, *(only or ())} - known.keys():
        raise typer.BadParameter(f"no configuration {sorted(unknown)}; there are {', '.join(known)}")
    return [name for name in known if name in (*always, *(only or known))]


def save(report: Mapping[Any, Any], json_file: Path | None) -> None:
    """Write figures as JSON, if a file is named."""
    if json_file is not None:
        json_file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


async def labelled(
    store: str, file: Path, limit: int | None, seed: int
) -> tuple[list[Content], dict[str, frozenset[str]]]:
    """Return a sample of a labelled file: contents, and their gold tags by id."""
    async with await open_store(store) as opened:
        read = read_labelled_contents(str(file), await opened.vocabulary())
    wanted = sample_ids((one.content.id for one in read.rows), limit, seed)
    rows = [one for one in read.rows if one.content.id in wanted]
    return [one.content for one in rows], {one.content.id: one.gold for one in rows}


async def compare(
    store: str,
    contents: Sequence[Content],
    gold: Mapping[str, frozenset[str]],
    configurations: Configurations,
    *,
    whole: str,
    live: bool,
    seed: int = 0,
    against: Mapping[str, str] | None = None,
    metrics: Sequence[str] = MEASURED,
) -> dict[str, Any]:
    """Tag by every configuration, and measure the documents that all of them tagged without failure.

    Args:
        store: the path of the store.
        contents: the contents to tag.
        gold: the gold tags of the contents, by id.
        configurations: options by name; the others are compared to the first.
        whole: the configuration whose unanswered documents are left out everywhere; savings are relative to it.
        live: whether to ask questions whose answer is not cached.
        seed: see ``figures``.
        against: see ``figures``.
        metrics: see ``figures``.

    Raises:
        SystemExit: there are too few documents.
    """
    found: dict[str, list[TagResult]] = {}
    meters: dict[str, Meter] = {}
    skipped: list[str] = []
    for name in [whole, *(name for name in configurations if name != whole)]:
        typer.echo(f"{name}: {len(contents)} documents", err=True)
        results, meter = await tag(contents, store, live, configurations[name])
        known = {one.id for one in results if one.degraded is None}
        if name == whole:
            contents = [one for one in contents if one.id in known]
            if len(contents) < FEWEST_DOCUMENTS:
                raise SystemExit(f"{len(contents)} documents with known answers: --live asks for more")
            if len(known) < len(results):
                results, meter = await tag(contents, store, live, configurations[name])
        elif len(known) < len(contents):
            skipped.append(name)
            continue
        found[name], meters[name] = results, meter
    ordered = {name: found[name] for name in configurations if name in found}
    rows = figures(ordered, gold, seed, against, metrics)
    most = meters[whole].questions
    for name, meter in meters.items():
        rows[name] |= {
            "second_rounds": sum(one.rounds > 1 for one in found[name]),
            "questions": meter.questions,
            "replayed": meter.questions - meter.live,
            "calls": meter.live,
            "saved": 1 - meter.questions / most,
            "prompt_tokens": meter.prompt_tokens,
            "seconds": meter.questions * meter.live_seconds / meter.live if meter.live else None,
        }
    return {
        "documents": len(contents),
        "not_known": skipped,
        "configurations": rows,
    }
