"""The folder that a training leaves: the weights and the card that ``--adapter`` reads."""

import importlib.metadata
import os
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from llm4tag.models.local.model_files import hash_file
from llm4tag.schema import UsageError
from llm4tag.schema.adapter_card import CARD_FILE, AdapterAnswer, AdapterCard, AdapterWeights, JudgeForm
from llm4tag.training.chat_examples import NO, YES
from llm4tag.training.judge.base_model import BaseFiles, package
from llm4tag.training.judge.checkpoint import Progress
from llm4tag.training.judge.lora_layers import TARGETS
from llm4tag.training.judge.training_options import TrainOptions
from llm4tag.training.judge_examples import Examples

WEIGHTS = "adapter.safetensors"
_PACKAGES = ("torch", "transformers", "peft")


def write_adapter(
    folder: Path,
    lora: dict[str, Any],
    files: BaseFiles,
    examples: Examples,
    options: TrainOptions,
    progress: Progress,
    device: str,
    data: dict[str, str],
) -> AdapterCard:
    """Write weights, in float16, and card; the card last, so that a folder with one is whole.

    Args:
        folder: where to.
        lora: the matrices by name.
        files: the base.
        examples: what it was trained on.
        options: how.
        progress: what came of it.
        device: what it ran on, in words.
        data: sha256 of each file of examples, by name.

    Raises:
        UsageError: it cannot be written.
    """
    torch, safetensors = package("torch"), package("safetensors.torch")
    weights, card_file = folder / WEIGHTS, folder / CARD_FILE
    try:
        draft = weights.with_suffix(".part")
        safetensors.save_file({name: one.to(torch.float16).contiguous() for name, one in lora.items()}, draft)
        card = AdapterCard(
            name=folder.absolute().name,
            kind="yes/no judge, LoRA",
            base=files.note,
            adapter=AdapterWeights(
                file=WEIGHTS, sha256=hash_file(draft), rank=options.rank, alpha=options.alpha, targets=TARGETS
            ),
            trained_on=_trained_on(examples, options, progress, device, data),
            licence=f"{files.licence} (base); the training texts' own",
            answer=AdapterAnswer(yes=YES, no=NO, logit="logit(Yes) - logit(No) of the first answer token"),
            limits=next(iter(examples.sets.values())).limits,
            **_forms(examples),
        )
        os.replace(draft, weights)
        draft = card_file.with_suffix(".part")
        draft.write_text(card.model_dump_json(indent=1) + "\n", "utf-8")
        os.replace(draft, card_file)
    except OSError as error:
        raise UsageError(f"{folder}: {error}; free disk space, and run the same command again") from error
    return card


def _forms(examples: Examples) -> dict[str, Any]:
    """Return the form that most examples have as the card's ``prompt``, the others by their names."""
    counts = Counter(one.set for one in examples.train)
    ordered = sorted(examples.sets.values(), key=lambda head: (-counts[head.set], head.set))
    forms: dict[str, JudgeForm] = {}
    for head in ordered[1:]:
        if head.prompt != ordered[0].prompt and head.prompt not in forms.values():
            # A name that another form has already is told apart by the set.
            forms[head.form if head.form not in forms else f"{head.form} {head.set}"] = head.prompt
    return {"prompt": ordered[0].prompt, "forms_that_travelled": forms}


def _trained_on(
    examples: Examples, options: TrainOptions, progress: Progress, device: str, data: dict[str, str]
) -> dict[str, JsonValue]:
    sets: list[JsonValue] = []
    for head in examples.sets.values():
        own = [one for one in examples.train if one.set == head.set]
        pairs = [tag.right for one in own for tag in one.tags]
        sets.append(
            {
                "set": head.set,
                "contents": len(own),
                "pairs": len(pairs),
                "right": sum(pairs),
                "form": head.form,
                "vocabulary": head.vocabulary,
                "recall": head.recipe.value,
            }
        )
    before, best = next(iter(progress.measured), None), progress.best
    return {
        "sets": sets,
        "contents": len(examples.train),
        "steps": progress.step,
        "options": options.model_dump(mode="json"),
        "loss_of_last_batches": _mean(progress.losses[-20:]),
        "batches_skipped": progress.skipped,
        "held_out": None if best is None else best.model_dump(mode="json"),
        "held_out_untrained": None if before is None or before.step else before.model_dump(mode="json"),
        "seconds": round(progress.seconds),
        "device": device,
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "data": dict(data),
    }


def _mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
