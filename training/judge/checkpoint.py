"""Checkpoints, from which a training that was stopped can resume."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from llm4tag.schema import UsageError
from llm4tag.schema.drafts import draft_of
from llm4tag.schema.text import differences
from llm4tag.training.judge.base_model import training_package
from llm4tag.training.judge.held_out_quality import HeldOutQuality

CHECKPOINT = "checkpoint.pt"
_START_AGAIN = "start again with {overwrite}, or name another folder as {out}"


class TrainingProgress(BaseModel):
    """The progress of a training."""

    model_config = ConfigDict(extra="forbid")

    step: int = 0
    """How many batches are done."""
    skipped: int = 0
    """How many of them were skipped, as their gradients were not finite."""
    seconds: float = 0.0
    """Time of training and measuring, over all runs."""
    measured: list[HeldOutQuality] = []
    losses: list[float] = []
    """Mean log loss of each batch before its step, skipped batches left out."""

    @property
    def best(self) -> HeldOutQuality | None:
        """The measurement with the lowest log loss; None where nothing was measured."""
        return min(self.measured, key=lambda one: one.log_loss, default=None)


class Checkpoint(BaseModel):
    """The progress of a training, with the tensors that are needed to resume it."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    settings: dict[str, str]
    """Everything that the training depends on, by name."""
    progress: TrainingProgress
    lora: dict[str, Any]
    best_lora: dict[str, Any]
    optimizer: dict[str, Any]


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in place of the last one.

    Raises:
        UsageError: it cannot be written.
    """
    torch = training_package("torch")
    path = folder / CHECKPOINT
    body = {**checkpoint.model_dump(exclude={"progress"}), "progress": checkpoint.progress.model_dump_json()}
    try:
        with draft_of(path) as draft:
            torch.save(body, draft)
    except OSError as error:
        raise UsageError(str(error), where=path, remedy="free disk space, and train again") from error


def load_checkpoint(folder: Path, settings: Mapping[str, str]) -> Checkpoint | None:
    """Read the checkpoint of a training with these settings; None where there is none.

    Raises:
        UsageError: it was made with other settings, or cannot be read.
    """
    torch = training_package("torch")
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        body = torch.load(path, map_location="cpu", weights_only=True)
        found = Checkpoint(**{**body, "progress": TrainingProgress.model_validate_json(body["progress"])})
    except Exception as error:  # a damaged file can raise anything
        raise UsageError(
            f"it is no checkpoint that can be read ({type(error).__name__})", where=path, remedy=_START_AGAIN
        ) from error
    if differing := differences(found.settings, settings):
        raise UsageError(
            f"it was made with other settings: {', '.join(differing)}", where=path, remedy=_START_AGAIN
        )
    return found
