"""One training, from the files of examples to the judge's folder."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm4tag.knowledge_store.ingest.input_formats import describe_os_error
from llm4tag.models.local.model_files import hash_file
from llm4tag.schema import UsageError
from llm4tag.schema.adapter_card import CARD_FILE, AdapterCard
from llm4tag.training.judge.adapter_output import WEIGHTS, write_adapter
from llm4tag.training.judge.base_model import BaseFiles, load_base
from llm4tag.training.judge.checkpoint import CHECKPOINT, load_checkpoint
from llm4tag.training.judge.lora_layers import add_lora
from llm4tag.training.judge.training_loop import Training, Watcher
from llm4tag.training.judge.training_options import TrainOptions
from llm4tag.training.judge_examples import Examples, read_examples

LOGITS = "logits.jsonl"


def check_folder(folder: Path, overwrite: bool) -> None:
    """Make the folder of a training, unless there is one in which it can resume.

    Args:
        folder: the folder.
        overwrite: whether the files of an earlier training are removed.

    Raises:
        UsageError: the folder contains a finished judge or other files, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = {path.name for path in folder.iterdir()}
        if overwrite:
            for name in (CARD_FILE, WEIGHTS, LOGITS, CHECKPOINT):
                (folder / name).unlink(missing_ok=True)
            return
    except OSError as error:
        raise UsageError(describe_os_error(error), where=folder, remedy="name another folder as {out}") from error
    if CARD_FILE in there:
        raise UsageError(
            "a trained judge is there",
            where=folder,
            remedy="name another folder as {out}, or replace it with {overwrite}",
        )
    if there and CHECKPOINT not in there:
        raise UsageError(
            "it is not empty, and no training was stopped in it",
            where=folder,
            remedy="name another folder as {out}",
        )


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that a training needs, before anything is loaded: examples, base, options and folder."""

    examples: Examples
    data: dict[str, str]
    """sha256 of each file of examples, by name."""
    files: BaseFiles
    options: TrainOptions
    folder: Path

    @classmethod
    def of(cls, data: Sequence[str], files: BaseFiles, options: TrainOptions, folder: Path) -> "TrainingPlan":
        """Read the examples and make a plan.

        Args:
            data: the files of examples.
            files: the base.
            options: the options of the training.
            folder: the folder of the judge.

        Raises:
            UsageError: the examples cannot be used, or there are none to train on.
        """
        examples = read_examples(data)
        if not examples.train:
            raise UsageError("there is nothing to train on", where=", ".join(data), remedy="export more contents")
        return cls(examples, {Path(one).name: hash_file(Path(one)) for one in data}, files, options, folder)

    @property
    def settings(self) -> dict[str, str]:
        """Everything that the training depends on, by name."""
        chosen = {name: json.dumps(value) for name, value in self.options.model_dump(mode="json").items()}
        return {**chosen, "base": self.files.card_entry.sha256, "data": " ".join(self.data.values())}

    def load(self, device: Any, at_once: int) -> Training:
        """Load the base, and the checkpoint if the folder has one.

        Args:
            device: the device to train on.
            at_once: how many contents are in memory at the same time.

        Raises:
            UsageError: the checkpoint was made by another training.
            ModelError: the base cannot be trained.
        """
        found = load_checkpoint(self.folder, self.settings)
        base = load_base(self.files, device)
        add_lora(base, self.options.rank, self.options.alpha, self.options.seed)
        return Training(base, self.examples, self.options, at_once, self.settings, found)

    def finish(self, training: Training, watcher: Watcher, device: str) -> AdapterCard:
        """Train to the end, write weights, card and some answers, and remove the checkpoint.

        Args:
            training: the training that ``load`` returned.
            watcher: receives the progress.
            device: the device in words, for the card.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed; the training can resume from the checkpoint.
            ModelError: too many gradients in a row were not finite.
        """
        lora = training.run(self.folder, watcher)
        training.write_logits(self.folder / LOGITS, lora)
        card = write_adapter(
            self.folder, lora, self.files, self.examples, self.options, training.progress, device, self.data
        )
        (self.folder / CHECKPOINT).unlink()
        return card
