"""Gain of training on the machine at hand: held-out log loss and AUROC of a judge, untrained and trained.

    python -m benchmarks.judge_training STORE FOLDER [--contents 320] [--top 6] [--characters 300] [--base …]

The third row is the log loss of a constant, the share of right candidates; a judge that is worth its questions
beats it. Defaults are for a small model on two cores: few candidates, short contents, neither descriptions nor
similar items. Examples and judge are saved in FOLDER; a run that was stopped goes on. It needs the extra `train`.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from llm4tag.prompts.judge_forms import FORMS, LIMITS
from llm4tag.schema.adapter_card import CARD_FILE


def form_file(path: Path, characters: int) -> Path:
    """Write a prompt form with little to read."""
    limits = LIMITS.model_copy(update={"text": characters, "similar": 0, "description": 0})
    body = {"prompt": FORMS["names"].model_dump(), "limits": limits.model_dump()}
    path.write_text(json.dumps(body), encoding="utf-8")
    return path


def llm4tag(*arguments: object) -> None:
    """Run a command of the CLI and show its output.

    Raises:
        SystemExit: the command failed.
    """
    done = subprocess.run([sys.executable, "-m", "llm4tag", *map(str, arguments)], check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def rows_of(card: dict[str, Any]) -> dict[str, tuple[float, float | None]]:
    """Return log loss and AUROC of the judge before and after training, and of a constant, by name."""
    learned = card["trained_on"]
    before, after = learned["held_out_untrained"], learned["held_out"]
    return {
        "untrained": (before["log_loss"], before["auroc"]),
        f"after {after['step']:,} steps": (after["log_loss"], after["auroc"]),
        "the share of right ones": (after["constant_log_loss"], None),
    }


def main(
    store: str,
    folder: Path,
    contents: int = 320,
    top: int = 6,
    characters: int = 300,
    base: str = "local/smollm2-135m",
    batch: int = 4,
    learning_rate: float = 1e-3,
    passes: int = 1,
    measures: int = 4,
    measure_on: int = 40,
    device: str = "auto",
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Export, train, print the figures, and write them as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    examples, judge = folder / "examples.jsonl", folder / "judge"
    form = form_file(folder / "form.json", characters)
    if not examples.exists():
        what = ("--top", top, "--limit", contents, "--held-out", 0.15)
        llm4tag("train", "export", examples, "--store", store, "--form", form, *what)
    how = ("--batch", batch, "--learning-rate", learning_rate, "--passes", passes, "--device", device)
    measured = ("--measures", measures, "--measure-on", measure_on, "--patience", measures)
    if not (judge / CARD_FILE).exists():
        llm4tag("train", "run", examples, "--out", judge, "--base", base, *how, *measured)
    card = json.loads((judge / CARD_FILE).read_text(encoding="utf-8"))
    learned = card["trained_on"]
    table = Table(title=f"{base}, {learned['contents']} contents, {learned['seconds']} s, {learned['device']}")
    for column in ("", "held-out log loss", "AUROC"):
        table.add_column(column, justify="right" if column else "left")
    for name, (loss, auroc) in rows_of(card).items():
        table.add_row(name, f"{loss:.3f}", "" if auroc is None else f"{auroc:.3f}")
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(learned, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
