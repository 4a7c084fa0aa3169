"""Gain and cost of the parts of the judge's prompt: similar items, hard negatives, passages, descriptions.

    python -m benchmarks.judge_prompts STORE LABELLED [--limit N] [--seed S] [--adapter DIR] [--judge-form NAME]
        [--only NAME …] [--no-live] [--json FILE]

Each configuration judges the same candidates of the same documents (no lists, no cascade, one round). The
zero-shot ones are compared to "zero-shot", which is shown only the content; those with the adapter to "judge",
whose questions are as its card says, with similar items if recall is fitted on history. Ranking and log loss are
those of benchmarks.llm_steps. Answers are cached, so a run that was stopped goes on.
"""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.llm.llm_figures import draw
from benchmarks.llm.paired_comparison import Configurations, compare, labelled, picked, save
from llm4tag.models.judge_adapter import Adapter, open_adapter
from llm4tag.schema.adapter_card import CARD_FILE, AdapterCard
from llm4tag.schema.settings import NO_ADAPTER, settings
from llm4tag.training.calibrator_fit import FEWEST_DOCUMENTS

JUDGED = {"samples": 0}
ZERO_SHOT = {**JUDGED, "adapter": NO_ADAPTER, "examples": 0, "passages": 0}
SHORT = 500
"""Characters of a content in the short form."""
ZERO_SHOTS: Configurations = {
    "zero-shot": ZERO_SHOT,
    "zero-shot, similar items": {**ZERO_SHOT, "examples": 3, "negatives": 0},
    "zero-shot, similar items with hard negatives": {**ZERO_SHOT, "examples": 3},
    "zero-shot, passage": {**ZERO_SHOT, "passages": 1},
}


def variants(adapter: Adapter, folder: Path) -> dict[str, Path]:
    """Write folders of the adapter with other prompts; return them by name.

    Args:
        adapter: the adapter whose form is varied.
        folder: the folder to write to.
    """
    card, form = adapter.card, adapter.form
    bare = form.tag.replace(". {description}", "")
    tags = {
        "no descriptions": bare,
        "no question": _unasked(form.tag),
        "no descriptions, no question": _unasked(bare),
    }
    cards = {
        name: card.model_copy(update={"prompt": form.model_copy(update={"tag": tag})})
        for name, tag in tags.items()
    }
    cards[f"{SHORT} characters"] = card.model_copy(
        update={"prompt": form, "limits": card.limits.model_copy(update={"text": SHORT})}
    )
    return {name: _written(one, adapter, folder / name) for name, one in cards.items()}


def _unasked(tag: str) -> str:
    """Leave out the line after the tag's, if there is one."""
    lines = tag.split("\n")
    return tag if "{" in lines[-1] else "\n".join(lines[:-1])


def _written(card: AdapterCard, adapter: Adapter, folder: Path) -> Path:
    folder.mkdir()
    (folder / card.adapter.file).symlink_to(adapter.weights)
    changed = card.model_copy(update={"default_form": "prompt"})
    (folder / CARD_FILE).write_text(changed.model_dump_json(), encoding="utf-8")
    return folder


def judges(adapter: Adapter, folder: Path) -> dict[str, Mapping[str, Any]]:
    """Return the configurations with the adapter."""
    asked: dict[str, Any] = {**JUDGED, "adapter": str(adapter.folder), "judge_form": adapter.form_name}
    return {
        "judge": asked,
        "judge, no similar items": {**asked, "examples": 0},
        **{
            f"judge, {name}": {**JUDGED, "adapter": str(changed)}
            for name, changed in variants(adapter, folder).items()
        },
    }


def compared_to(names: Sequence[str]) -> dict[str, str]:
    """Return the plain configuration that each other one is compared to."""
    return {name: name.partition(",")[0] for name in names if "," in name}


def main(
    store: str,
    file: Annotated[Path, typer.Argument(exists=True)],
    limit: Annotated[int | None, typer.Option(min=FEWEST_DOCUMENTS)] = None,
    seed: int = 0,
    model: str | None = None,
    adapter: str | None = None,
    judge_form: str | None = None,
    live: Annotated[bool, typer.Option(help="Ask questions whose answer is not cached.")] = True,
    only: Annotated[list[str] | None, typer.Option(help="Configurations in addition to 'recall alone'.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Measure, print a table, and write the figures as JSON."""
    tuned = open_adapter(settings(model=model, adapter=adapter, judge_form=judge_form))
    with tempfile.TemporaryDirectory() as folder:
        known = {
            "recall alone": {"use_llm": False},
            **(judges(tuned, Path(folder)) if tuned else {}),
            **ZERO_SHOTS,
        }
        chosen = picked(known, only)

        async def measure() -> dict[str, Any]:
            contents, gold = await labelled(store, file, limit, seed)
            configurations = {name: {"model": model, **known[name]} for name in chosen}
            return await compare(
                store,
                contents,
                gold,
                configurations,
                whole=chosen[1],
                live=live,
                seed=seed,
                against=compared_to(chosen),
            )

        report = asyncio.run(measure())
    Console(width=200).print(draw(report))
    save(report, json_file)


if __name__ == "__main__":
    typer.run(main)
