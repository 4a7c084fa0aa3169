"""What a training that was stopped goes on from."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from llm4tag.schema import UsageError
from llm4tag.training.judge.base_model import package
from llm4tag.training.judge.held_out_quality import HeldOut

CHECKPOINT = "checkpoint.pt"
_ANEW = "start anew with --overwrite, or name another folder with --out"


class Progress(BaseModel):
    """How far a training has come."""

    model_config = ConfigDict(extra="forbid")

    step: int = 0
    """Batches that are behind it."""
    skipped: int = 0
    """Those whose gradient was not finite."""
    seconds: float = 0.0
    measured: list[HeldOut] = []
    losses: list[float] = []
    """Mean log loss of each trained batch, before its step."""

    @property
    def best(self) -> HeldOut | None:
        """The measurement with the least log loss."""
        return min(self.measured, key=lambda one: one.log_loss, default=None)


class Checkpoint(BaseModel):
    """Progress with the tensors that it takes to go on."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    settings: dict[str, str]
    """All that the training depends on."""
    progress: Progress
    lora: dict[str, Any]
    best_lora: dict[str, Any]
    optimizer: dict[str, Any]


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in one step.

    Raises:
        UsageError: it cannot be written.
    """
    torch = package("torch")
    path = folder / CHECKPOINT
    draft = path.with_suffix(".part")
    body = {**checkpoint.model_dump(exclude={"progress"}), "progress": checkpoint.progress.model_dump_json()}
    try:
        torch.save(body, draft)
        os.replace(draft, path)
    except OSError as error:
        raise UsageError(f"{path}: {error}; free disk space, and run the same command again") from error


def load_checkpoint(folder: Path, settings: Mapping[str, str]) -> Checkpoint | None:
    """Read the checkpoint of a training with these settings; None where there is none.

    Raises:
        UsageError: it is of other settings, or cannot be read.
    """
    torch = package("torch")
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        body = torch.load(path, map_location="cpu", weights_only=True)
        found = Checkpoint(**{**body, "progress": Progress.model_validate_json(body["progress"])})
    except Exception as error:  # a torn file can raise anything
        raise UsageError(f"{path}: no checkpoint that can be read ({type(error).__name__}); {_ANEW}") from error
    differing = [
        f"{name} (then {found.settings.get(name)}, now {settings.get(name)})"
        for name in sorted(found.settings.keys() | settings.keys())
        if found.settings.get(name) != settings.get(name)
    ]
    if differing:
        raise UsageError(f"{path}: made under other settings: {', '.join(differing)}; {_ANEW}")
    return found
