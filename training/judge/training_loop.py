"""The training loop: batches, held-out measurements, early stopping and checkpoints."""

import json
import math
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from llm4tag.schema import ModelError
from llm4tag.training.chat_examples import similar_shown
from llm4tag.training.judge.base_model import LoadedBase, training_package
from llm4tag.training.judge.checkpoint import Checkpoint, TrainingProgress, save_checkpoint
from llm4tag.training.judge.held_out_quality import HeldOutQuality, measure
from llm4tag.training.judge.lora_layers import answer_logits, lora_parameters, lora_state, set_lora_state
from llm4tag.training.judge.token_batches import token_batch
from llm4tag.training.judge.token_sequences import TokenSequence, token_sequence
from llm4tag.training.judge.training_options import TrainOptions
from llm4tag.training.judge_examples import Examples, TrainingExample

_MOST_SKIPPED = 20
"""After this many batches in a row without a finite gradient the training fails."""
_ANSWERS = 10
"""How many held-out contents have their answers saved."""
_SAVE_EVERY = 120.0
"""Seconds between two checkpoints."""


class Watcher(Protocol):
    """Receives the progress of a training."""

    def trained(self, progress: TrainingProgress, seconds: float) -> None:
        """Receive the progress after a batch, and how long the batch took."""

    def measured(self, found: HeldOutQuality, seconds: float) -> None:
        """Receive the figures of a measurement, and how long it took."""


class Training:
    """One training, from its beginning or from a checkpoint.

    Args:
        base: the model, with LoRA matrices added.
        examples: the examples to train on and the held-out ones.
        options: the options of the training.
        at_once: how many contents are in memory at the same time; apart from rounding the result is the same.
        settings: everything that the training depends on; its checkpoints contain them.
        found: the checkpoint to resume from; None: start from the beginning.
    """

    def __init__(
        self,
        base: LoadedBase,
        examples: Examples,
        options: TrainOptions,
        at_once: int,
        settings: dict[str, str],
        found: Checkpoint | None = None,
    ) -> None:
        torch = training_package("torch")
        self._base = base
        self._examples = examples
        self._options = options
        self._at_once = at_once
        self._settings = settings
        self.steps = options.steps(len(examples.train))
        self._optimizer = torch.optim.AdamW(
            lora_parameters(base).values(), lr=options.learning_rate, weight_decay=0.0
        )
        self._held_out = [self._sequence(one, 0) for one in self._measured_on()]
        self._skipped_in_a_row = 0
        self._stop = False
        self._saved = time.monotonic()
        self.progress = TrainingProgress()
        self._best = lora_state(base)
        if found is not None:
            self.progress = found.progress
            self._best = found.best_lora
            set_lora_state(base, found.lora)
            self._optimizer.load_state_dict(found.optimizer)

    def run(self, folder: Path, watcher: Watcher) -> dict[str, Any]:
        """Train to the end and return the matrices with the lowest held-out log loss.

        Where nothing is held out, the last matrices are returned.

        Args:
            folder: the folder of the checkpoints.
            watcher: receives the progress.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed, and a checkpoint is written.
            ModelError: too many gradients in a row were not finite.
        """
        with self._stopping():
            try:
                while self._measure_if_due(watcher) and self.progress.step < self.steps:
                    started = time.monotonic()
                    self._train_batch(self._batch(self.progress.step))
                    self.progress.step += 1
                    self.progress.seconds += time.monotonic() - started
                    watcher.trained(self.progress, time.monotonic() - started)
                    self._check_stop()
                    if time.monotonic() - self._saved > _SAVE_EVERY:
                        self._save(folder)
            except KeyboardInterrupt:
                self._save(folder)
                raise
        self._save(folder)
        return self._best if self._held_out else lora_state(self._base)

    @property
    def measures_left(self) -> int:
        """How many measurements follow, unless one of them ends the training early."""
        if not self._held_out:
            return 0
        return sum(
            self._options.measured_at(step, self.steps) for step in range(self.progress.step, self.steps + 1)
        )

    def _measure_if_due(self, watcher: Watcher) -> bool:
        """Judge the held-out contents if it is time; return whether the training goes on."""
        progress, options = self.progress, self._options
        known = any(one.step == progress.step for one in progress.measured)
        if self._held_out and not known and options.measured_at(progress.step, self.steps):
            started = time.monotonic()
            found = measure(self._base, self._held_out, self._at_once, progress.step, self._check_stop)
            progress.measured.append(found)
            progress.seconds += time.monotonic() - started
            if progress.best is found:
                self._best = lora_state(self._base)
            watcher.measured(found, time.monotonic() - started)
        if progress.best is None:
            return True
        since = len(progress.measured) - 1 - progress.measured.index(progress.best)
        return since < options.patience

    def _train_batch(self, batch: Sequence[TokenSequence]) -> None:
        torch = training_package("torch")
        self._base.model.train()
        self._optimizer.zero_grad(set_to_none=True)
        pairs = sum(len(one.right) for one in batch)
        loss = 0.0
        for start in range(0, len(batch), self._at_once):
            part = token_batch(batch[start : start + self._at_once], self._base.device, self._base.model.dtype)
            differences, answered = answer_logits(self._base, part)
            found = torch.nn.functional.binary_cross_entropy_with_logits(differences, part.right, reduction="sum")
            # With the difference alone both answers could become unlikely, and a server lists only likely tokens.
            ((found - self._options.answer_weight * answered.sum()) / pairs).backward()
            loss += float(found.detach()) / pairs
        norm = float(torch.nn.utils.clip_grad_norm_(lora_parameters(self._base).values(), 1.0))
        rate = self._options.rate(self.progress.step, self.steps)
        for group in self._optimizer.param_groups:
            group["lr"] = self._options.learning_rate * rate
        if math.isfinite(norm):
            self._optimizer.step()
            self._skipped_in_a_row = 0
            self.progress.losses.append(loss)
            return
        # Attention with a dense mask sometimes gives such gradients although the loss is finite.
        self.progress.skipped += 1
        self._skipped_in_a_row += 1
        if self._skipped_in_a_row >= _MOST_SKIPPED:
            raise ModelError(
                f"the gradients of {_MOST_SKIPPED} batches in a row are not finite",
                remedy="try a lower {learning_rate}",
            )

    def _batch(self, step: int) -> list[TokenSequence]:
        """Return the batch of a step; the order of contents depends on the seed and the pass only."""
        train, options = self._examples.train, self._options
        turn, place = divmod(step, options.steps_a_pass(len(train)))
        order = np.random.default_rng([options.seed, turn]).permutation(len(train))
        chosen = order[place * options.batch : (place + 1) * options.batch]
        return [self._sequence(train[int(row)], turn) for row in chosen]

    def _sequence(self, example: TrainingExample, turn: int) -> TokenSequence:
        head = self._examples.sets[example.set]
        shown = similar_shown(example, head, self._options.seed, turn)
        return token_sequence(example, head, self._base.tokenizer, shown)

    def _measured_on(self) -> list[TrainingExample]:
        held_out, options = self._examples.held_out, self._options
        order = np.random.default_rng(options.seed).permutation(len(held_out))
        return [held_out[int(row)] for row in order[: options.measure_on]]

    def write_logits(self, path: Path, lora: dict[str, Any]) -> None:
        """Write prompts of some held-out contents and the judge's answers, to check a server's answers.

        Args:
            path: the file.
            lora: the matrices of the judge.
        """
        torch = training_package("torch")
        set_lora_state(self._base, lora)
        self._base.model.eval()
        with torch.no_grad(), path.open("w", encoding="utf-8") as out:
            for one in self._measured_on()[:_ANSWERS]:
                sequence = self._sequence(one, 0)
                batch = token_batch([sequence], self._base.device, self._base.model.dtype)
                head = self._examples.sets[one.set]
                questions = one.questions(head, similar_shown(one, head, self._options.seed, 0))
                for (tag, messages), logit in zip(
                    questions, answer_logits(self._base, batch)[0].tolist(), strict=True
                ):
                    said = {"set": one.set, "content": one.id, "tag": tag.id, "right": tag.right, "logit": logit}
                    said["messages"] = [message.model_dump() for message in messages]
                    out.write(json.dumps(said, ensure_ascii=False) + "\n")

    def _save(self, folder: Path) -> None:
        checkpoint = Checkpoint(
            settings=self._settings,
            progress=self.progress,
            lora=lora_state(self._base),
            best_lora=self._best,
            optimizer=self._optimizer.state_dict(),
        )
        save_checkpoint(folder, checkpoint)
        self._saved = time.monotonic()

    def _check_stop(self) -> None:
        if self._stop:
            raise KeyboardInterrupt

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        """Remember Ctrl-C, so that the running step is finished; a second Ctrl-C stops at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGINT)

        def remember(*_: object) -> None:
            self._stop = True
            signal.signal(signal.SIGINT, before)

        signal.signal(signal.SIGINT, remember)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
