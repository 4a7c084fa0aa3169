"""``llm4tag train run``: train a judge on examples."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from llm4tag.cli.console import Bar, progress_bar, say
from llm4tag.cli.option_groups import grouped

if TYPE_CHECKING:
    from llm4tag.training.judge.checkpoint import TrainingProgress
    from llm4tag.training.judge.held_out_quality import HeldOutQuality
    from llm4tag.training.judge.training_loop import Training
    from llm4tag.training.judge.training_run import TrainingPlan

_ESTIMATED_AFTER = 3
"""Batches after which the time is estimated."""


@dataclass(frozen=True)
class TrainingFlags:
    """How a judge is trained, on which model and device."""

    base: Annotated[
        str | None,
        typer.Option(
            help="Model to train: local/NAME, local/FILE.gguf, or a folder as Hugging Face has them. Default: "
            "local/qwen2.5-coder-1.5b.",
            show_default=False,
        ),
    ] = None
    served: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.gguf",
            help="For a folder: the GGUF file of the same model that is served.",
            show_default=False,
        ),
    ] = None
    passes: Annotated[int, typer.Option(min=1, help="Passes over the examples.")] = 1
    batch: Annotated[int, typer.Option(min=1, help="Contents in a step.")] = 8
    at_once: Annotated[
        int | None,
        typer.Option(
            min=1, help="Contents in memory at once. Default: a batch on a GPU, else 1.", show_default=False
        ),
    ] = None
    learning_rate: Annotated[float, typer.Option(min=1e-8, help="Highest learning rate of AdamW.")] = 2e-4
    rank: Annotated[
        int, typer.Option(min=1, max=256, help="Rank of the LoRA matrices; alpha is twice as much.")
    ] = 16
    measures: Annotated[int, typer.Option(min=1, help="How often the judge is measured on held-out contents.")] = (
        10
    )
    measure_on: Annotated[int, typer.Option(min=1, help="Held-out contents to measure on, at most.")] = 200
    patience: Annotated[
        int,
        typer.Option(
            min=1, help="Stop when this many measurements in a row bring no lower log loss on held-out contents."
        ),
    ] = 3
    seed: Annotated[
        int, typer.Option(help="Seed of the matrices, of the order and of the similar items that are shown.")
    ] = 0
    device: Annotated[Literal["auto", "cuda", "cpu"], typer.Option(help="auto: a GPU if there is one.")] = "auto"
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start again, whatever is in the folder.")] = False


@grouped
def run(
    data: Annotated[
        list[str],
        typer.Argument(metavar="DATA...", help="Files that `llm4tag train export` wrote."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the judge.")],
    flags: TrainingFlags,
) -> None:
    r"""Fine-tune a judge with LoRA, on the very weights that are served.

    After Ctrl-C, the same command goes on where it was. Give the folder to
    `--adapter` afterwards. Training needs `pip install 'llm4tag\[train]'`, and a
    GPU for all but small models.

    [bold]Examples[/bold]

    \b
    llm4tag train run examples.jsonl --out my-judge
    llm4tag train run debtags.jsonl jobs.jsonl --out my-judge --passes 2
    llm4tag train run examples.jsonl --out small-judge --base local/qwen2.5-coder-0.5b --device cpu
    """
    from llm4tag.schema import DEFAULT_MODEL, settings
    from llm4tag.training.judge.base_model import chosen_device, find_base
    from llm4tag.training.judge.training_options import TrainOptions
    from llm4tag.training.judge.training_run import TrainingPlan, check_folder

    chosen = ("passes", "batch", "learning_rate", "rank", "measures", "measure_on", "patience", "seed")
    options = TrainOptions(alpha=2.0 * flags.rank, **{name: getattr(flags, name) for name in chosen})
    found = chosen_device(flags.device)
    trained = find_base(flags.base or DEFAULT_MODEL, flags.served, settings().cache_dir)
    plan = TrainingPlan.of(data, trained, options, out)
    check_folder(out, flags.overwrite)
    _print_data(plan)
    on_gpu = found.type == "cuda"
    if not on_gpu:
        say("no GPU is used; an estimate of the time follows after the first steps", "yellow")
    training = plan.load(found, flags.at_once or (flags.batch if on_gpu else 1))
    if training.progress.step:
        say(f"going on after step {training.progress.step:,} of {training.steps:,}")
    with progress_bar("training", training.steps - training.progress.step, "steps") as bar:
        card = plan.finish(training, _TrainingProgress(bar, training, estimate=not on_gpu), _device_name(found))
    _print_outcome(training, out)
    say(f"{out} is a judge for {card.base.file}: llm4tag tag … --adapter {out}")


class _TrainingProgress:
    """Shows the progress of a training."""

    def __init__(self, bar: Bar, training: "Training", *, estimate: bool) -> None:
        self._bar = bar
        self._training = training
        self._seconds: list[float] = []
        self._measuring = 0.0
        self._estimate = estimate

    def trained(self, progress: "TrainingProgress", seconds: float) -> None:
        """Count a batch."""
        recent = progress.losses[-20:]
        if recent:
            self._bar.label(f"training, loss {sum(recent) / len(recent):.3f}")
        self._bar(1)
        self._seconds.append(seconds)
        if self._estimate and len(self._seconds) == _ESTIMATED_AFTER:
            self._print_estimate()

    def measured(self, found: "HeldOutQuality", seconds: float) -> None:
        """Print a measurement on held-out contents."""
        self._measuring = seconds
        auroc = "" if found.auroc is None else f", AUROC {found.auroc:.3f}"
        say(
            f"step {found.step:,} of {self._training.steps:,}: held-out log loss {found.log_loss:.4f}{auroc} "
            f"({found.contents:,} contents; by the share of right ones alone: {found.constant_log_loss:.4f}); "
            f"{found.answered:.1%} of its answers are Yes or No"
        )

    def _print_estimate(self) -> None:
        left = self._training.steps - self._training.progress.step
        seconds = left * sum(self._seconds) / len(self._seconds)
        seconds += self._training.measures_left * self._measuring
        say(
            f"about {_duration(seconds)} for the {left:,} steps left, if they take as long as the first; "
            "after Ctrl-C, the same command goes on",
            "yellow",
        )


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes / 60:.1f} h" if minutes >= 90 else f"{max(1, minutes)} min"


def _print_data(plan: "TrainingPlan") -> None:
    for head in plan.examples.sets.values():
        own = [one for one in plan.examples.train if one.set == head.set]
        pairs = sum(len(one.tags) for one in own)
        say(f"{head.set}: {len(own):,} contents with {pairs:,} candidates to train on, in the form {head.form!r}")
    if plan.examples.repeated:
        say(
            f"note: {plan.examples.repeated:,} held-out contents are left out: another set trains on the same text"
        )
    if not plan.examples.held_out:
        say("note: nothing is held out, so training cannot stop early, and its gain cannot be measured", "yellow")


def _print_outcome(training: "Training", out: Path) -> None:
    progress = training.progress
    if progress.skipped:
        say(f"{progress.skipped:,} batches were skipped: their gradients were not finite")
    if progress.best is not None and progress.step < training.steps:
        say(f"stopped at step {progress.step:,}: held-out log loss did not fall after step {progress.best.step:,}")
    if progress.best is not None and not progress.best.step:
        say(
            f"note: no step made the judge better on held-out contents; {out} is as good as untrained",
            "yellow",
        )


def _device_name(device: object) -> str:
    """Return the name of a device."""
    from llm4tag.training.judge.base_model import training_package

    torch = training_package("torch")
    if getattr(device, "type", "") == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"CPU, {torch.get_num_threads()} threads"
