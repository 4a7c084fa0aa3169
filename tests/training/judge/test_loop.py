"""Training a tiny model: it learns, goes on where it was stopped, stops early, and leaves a judge's folder."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm4tag.models.judge_adapter import read_adapter
from llm4tag.schema import UsageError
from llm4tag.training.judge.base_model import BaseFiles, LoadedBase
from llm4tag.training.judge.checkpoint import CHECKPOINT, TrainingProgress
from llm4tag.training.judge.held_out_quality import HeldOutQuality, figures
from llm4tag.training.judge.lora_layers import answer_logits
from llm4tag.training.judge.training_loop import Training
from llm4tag.training.judge.training_options import TrainOptions
from llm4tag.training.judge.training_run import TrainingPlan, check_folder
from tests.fakes.judge_examples import write

pytestmark = pytest.mark.training

QUICK = TrainOptions(passes=6, batch=4, learning_rate=0.02, rank=4, alpha=8.0, measures=4, seed=5)


class Watched:
    """Records what it receives, and presses Ctrl-C after some steps."""

    def __init__(self, stop_after: int = -1) -> None:
        self.found: list[HeldOutQuality] = []
        self.steps = 0
        self._stop_after = stop_after

    def trained(self, progress: TrainingProgress, seconds: float) -> None:
        self.steps += 1
        if self.steps == self._stop_after:
            os.kill(os.getpid(), signal.SIGINT)

    def measured(self, found: HeldOutQuality, seconds: float) -> None:
        self.found.append(found)


def plan_of(tmp_path: Path, files: BaseFiles, options: TrainOptions = QUICK, **data: Any) -> TrainingPlan:
    folder = tmp_path / "judge"
    check_folder(folder, overwrite=False)
    return TrainingPlan.of([str(write(tmp_path / "data.jsonl", **data))], files, options, folder)


def train(plan: TrainingPlan, watched: Watched, at_once: int = 2) -> Training:
    import torch

    training = plan.load(torch.device("cpu"), at_once)
    plan.finish(training, watched, "CPU")
    return training


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.numpy import load_file

    found: dict[str, Any] = load_file(folder / "adapter.safetensors")
    return found


def test_it_learns_and_says_what_of(tmp_path: Path, tiny_files: BaseFiles) -> None:
    plan = plan_of(tmp_path, tiny_files, train=32, held_out=8)
    watched = Watched()
    train(plan, watched)
    first, *_, last = watched.found
    assert (first.step, last.step) == (0, 48)
    assert (first.contents, first.pairs) == (8, 32)
    best = min(watched.found, key=lambda one: one.log_loss)
    assert best.log_loss < first.log_loss - 0.05
    adapter = read_adapter(plan.folder, tmp_path)
    assert adapter.card.name == "judge"
    assert adapter.card.base == tiny_files.card_entry
    assert (adapter.card.adapter.rank, adapter.card.adapter.alpha) == (4, 8.0)
    said = adapter.card.trained_on
    assert said["held_out"] == best.model_dump()
    assert said["held_out_untrained"] == first.model_dump()
    assert said["sets"] == [
        {
            "set": "made",
            "contents": 32,
            "pairs": 128,
            "right": 56,
            "form": "names",
            "vocabulary": "v",
            "recall": "by-hand",
        }
    ]
    assert sorted(one.name for one in plan.folder.iterdir()) == [
        "adapter.json",
        "adapter.safetensors",
        "logits.jsonl",
    ]
    answers = [json.loads(line) for line in (plan.folder / "logits.jsonl").read_text().splitlines()]
    logits, right = (np.array([one[name] for one in answers]) for name in ("logit", "right"))
    assert figures(logits, right, logits, best.step, 8).log_loss == pytest.approx(best.log_loss, abs=1e-4)
    assert len(weights(plan.folder)) == 28
    with pytest.raises(UsageError, match="a trained judge is there"):
        check_folder(plan.folder, overwrite=False)


def test_stopped_twice_it_ends_as_if_it_had_not_been(tmp_path: Path, tiny_files: BaseFiles) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    whole = plan_of(tmp_path / "one", tiny_files)
    watched = Watched()
    train(whole, watched)
    plan = plan_of(tmp_path / "other", tiny_files)
    steps = 0
    for stop_after in (3, 7):
        stopped = Watched(stop_after)
        with pytest.raises(KeyboardInterrupt):
            train(plan, stopped)
        steps += stopped.steps
        assert [path.name for path in plan.folder.iterdir()] == [CHECKPOINT]
        check_folder(plan.folder, overwrite=False)
    last = Watched()
    training = train(plan, last)
    assert steps + last.steps == watched.steps == 18
    assert [one.step for one in training.progress.measured] == [0, 4, 9, 14, 18]
    one, other = weights(whole.folder), weights(plan.folder)
    assert all((one[name] == other[name]).all() for name in one)


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path, tiny_files: BaseFiles) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(plan_of(tmp_path, tiny_files), Watched(2))
    with pytest.raises(UsageError, match=r"other settings: seed \(then 5, now 6\); start again with overwrite"):
        train(plan_of(tmp_path, tiny_files, QUICK.model_copy(update={"seed": 6})), Watched())
    (tmp_path / "judge" / CHECKPOINT).write_bytes(b"torn")
    with pytest.raises(UsageError, match="no checkpoint that can be read"):
        train(plan_of(tmp_path, tiny_files), Watched())
    check_folder(tmp_path / "judge", overwrite=True)
    train(plan_of(tmp_path, tiny_files), Watched())


def test_it_stops_where_held_out_loss_no_longer_falls_and_keeps_the_best(
    tmp_path: Path, tiny_files: BaseFiles
) -> None:
    wild = QUICK.model_copy(update={"learning_rate": 3.0, "measures": 18, "patience": 2})
    watched = Watched()
    training = train(plan_of(tmp_path, tiny_files, wild), watched)
    assert training.progress.step < training.steps
    best = training.progress.best
    assert best is not None
    assert [one.step for one in watched.found][-3:] == [best.step, best.step + 1, best.step + 2]
    if best.step == 0:
        assert all(not value.any() for name, value in weights(tmp_path / "judge").items() if "lora_B" in name)


def test_a_batch_without_a_finite_gradient_is_skipped(
    tmp_path: Path, tiny_files: BaseFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def sometimes_broken(base: LoadedBase, batch: Any) -> Any:
        calls.append(base.model.training)
        found, answered = answer_logits(base, batch)
        # A finite loss whose gradient is not: the root of 0.
        return (found + (found - found).sqrt().nan_to_num() if calls.count(True) == 3 else found), answered

    monkeypatch.setattr("llm4tag.training.judge.training_loop.answer_logits", sometimes_broken)
    training = train(plan_of(tmp_path, tiny_files), Watched())
    assert training.progress.skipped == 1
    assert len(training.progress.losses) == training.steps - 1
    assert all(np.isfinite(value).all() for value in weights(tmp_path / "judge").values())


def test_sets_with_their_own_forms_are_in_the_card(tmp_path: Path, tiny_files: BaseFiles) -> None:
    one = write(tmp_path / "one.jsonl", train=8, held_out=2)
    other = write(tmp_path / "other.jsonl", train=4, held_out=2, of="second", form="ids")
    folder = tmp_path / "judge"
    check_folder(folder, overwrite=False)
    plan = TrainingPlan.of([str(one), str(other)], tiny_files, QUICK.model_copy(update={"passes": 1}), folder)
    assert plan.examples.repeated == 0
    train(plan, Watched())
    card = json.loads((folder / "adapter.json").read_text())
    assert card["prompt"]["similar_line"] == ""
    assert card["forms_that_travelled"]["ids"]["similar_line"] == "- {first_line}: {tag_ids}\n"
    assert [one["contents"] for one in card["trained_on"]["sets"]] == [8, 4]
    assert set(card["trained_on"]["data"]) == {"one.jsonl", "other.jsonl"}


def test_without_held_out_contents_it_trains_to_the_end(tmp_path: Path, tiny_files: BaseFiles) -> None:
    training = train(plan_of(tmp_path, tiny_files, held_out=0), Watched())
    assert training.progress.step == training.steps
    assert training.progress.best is None
    assert any(value.any() for name, value in weights(tmp_path / "judge").items() if "lora_B" in name)


def test_the_judge_learns_to_answer_yes_or_no_at_all(tmp_path: Path, tiny_files: BaseFiles) -> None:
    answered = {}
    for weight in (0.0, 0.1):
        (folder := tmp_path / str(weight)).mkdir()
        options = QUICK.model_copy(update={"answer_weight": weight, "patience": 9})
        last = train(plan_of(folder, tiny_files, options, train=64), Watched()).progress.measured[-1]
        answered[weight] = last.answered
    # Its rows are so short that no token can have much more than this.
    assert answered[0.1] > 0.05, answered
    assert answered[0.0] < 0.02, answered


def test_bfloat16_learns_too(tmp_path: Path, tiny_files: BaseFiles) -> None:
    import torch

    plan = plan_of(tmp_path, tiny_files, train=32, held_out=8)
    training = plan.load(torch.device("cpu"), 4)
    training._base.model.to(torch.bfloat16)
    for name, one in training._base.model.named_parameters():
        if ".lora_" in name:
            one.data = one.data.float()
    watched = Watched()
    plan.finish(training, watched, "CPU")
    assert min(one.log_loss for one in watched.found) < watched.found[0].log_loss - 0.05


def test_the_rate_warms_up_and_falls_to_nearly_nothing() -> None:
    rates = [TrainOptions().rate(step, 100) for step in range(100)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates.index(max(rates)) == 4
    assert 0 < rates[-1] < 0.02
    assert TrainOptions().rate(0, 1) == 1.0
