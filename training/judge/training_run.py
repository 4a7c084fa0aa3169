"""One training from files to folder."""

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
    """Make the folder of a training, or take one that it can go on in.

    Raises:
        UsageError: a finished judge is in it, or something else; or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = {path.name for path in folder.iterdir()}
        if overwrite:
            for name in (CARD_FILE, WEIGHTS, LOGITS, CHECKPOINT):
                (folder / name).unlink(missing_ok=True)
            return
    except OSError as error:
        raise UsageError(f"{folder}: {describe_os_error(error)}; name another folder with --out") from error
    if CARD_FILE in there:
        raise UsageError(f"{folder}: a trained judge is there; name another folder with --out, or add --overwrite")
    if there and CHECKPOINT not in there:
        raise UsageError(f"{folder}: is not empty, and no training was stopped in it; name another with --out")


@dataclass(frozen=True)
class Plan:
    """What is to be trained, on what, how and where to; nothing is loaded yet."""

    examples: Examples
    data: dict[str, str]
    """sha256 of each file of examples, by name."""
    files: BaseFiles
    options: TrainOptions
    folder: Path

    @classmethod
    def of(cls, data: Sequence[str], files: BaseFiles, options: TrainOptions, folder: Path) -> "Plan":
        """Read the examples.

        Raises:
            UsageError: they cannot be used.
        """
        examples = read_examples(data)
        if not examples.train:
            raise UsageError(f"{', '.join(data)}: nothing to train on; export more contents")
        return cls(examples, {Path(one).name: hash_file(Path(one)) for one in data}, files, options, folder)

    @property
    def settings(self) -> dict[str, str]:
        """All that the training depends on, by name."""
        chosen = {name: json.dumps(value) for name, value in self.options.model_dump(mode="json").items()}
        return {**chosen, "base": self.files.note.sha256, "data": " ".join(self.data.values())}

    def load(self, device: Any, at_once: int) -> Training:
        """Load the base, and the checkpoint if the folder has one.

        Raises:
            UsageError: the checkpoint is of another training.
            ModelError: the base cannot be trained.
        """
        found = load_checkpoint(self.folder, self.settings)
        base = load_base(self.files, device)
        add_lora(base, self.options.rank, self.options.alpha, self.options.seed)
        return Training(base, self.examples, self.options, at_once, self.settings, found)

    def finish(self, training: Training, watcher: Watcher, device: str) -> AdapterCard:
        """Train to the end, write weights, card and some answers, and remove the checkpoint.

        Args:
            training: as loaded.
            watcher: is told how it goes.
            device: in words, for the card.

        Raises:
            KeyboardInterrupt: Ctrl-C; it can be gone on from the checkpoint.
            ModelError: the gradients stay without a finite norm.
        """
        lora = training.run(self.folder, watcher)
        training.write_logits(self.folder / LOGITS, lora)
        card = write_adapter(
            self.folder, lora, self.files, self.examples, self.options, training.progress, device, self.data
        )
        (self.folder / CHECKPOINT).unlink()
        return card
