"""The result of a training: a folder with the adapter's weights and card."""

import importlib.metadata
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from llm4tag.models.local.model_files import hash_file
from llm4tag.schema import UsageError
from llm4tag.schema.adapter_card import CARD_FILE, AdapterAnswer, AdapterCard, AdapterWeights, JudgeForm
from llm4tag.schema.drafts import drafts_of
from llm4tag.training.chat_examples import NO, YES
from llm4tag.training.judge.base_model import BaseFiles, training_package
from llm4tag.training.judge.checkpoint import TrainingProgress
from llm4tag.training.judge.lora_layers import TARGET_PROJECTIONS
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
    progress: TrainingProgress,
    device: str,
    data: dict[str, str],
) -> AdapterCard:
    """Write the weights, in float16, and the card.

    The card is written last, so a folder with a card is complete.

    Args:
        folder: the folder, which exists.
        lora: the matrices by name.
        files: the base.
        examples: the examples that it was trained on.
        options: the options of the training.
        progress: steps, losses and measurements of the training.
        device: the device in words, for the card.
        data: sha256 of each file of examples, by name.

    Returns:
        The card.

    Raises:
        UsageError: a file cannot be written.
    """
    torch, safetensors = training_package("torch"), training_package("safetensors.torch")
    weights, card_file = folder / WEIGHTS, folder / CARD_FILE
    try:
        with drafts_of([weights, card_file]) as (weights_draft, card_draft):
            matrices = {name: one.to(torch.float16).contiguous() for name, one in lora.items()}
            safetensors.save_file(matrices, weights_draft)
            card = AdapterCard(
                name=folder.absolute().name,
                kind="yes/no judge, LoRA",
                base=files.card_entry,
                adapter=AdapterWeights(
                    file=WEIGHTS,
                    sha256=hash_file(weights_draft),
                    rank=options.rank,
                    alpha=options.alpha,
                    targets=TARGET_PROJECTIONS,
                ),
                trained_on=_trained_on(examples, options, progress, device, data),
                licence=f"{files.licence} (base); the training texts' own",
                answer=AdapterAnswer(yes=YES, no=NO, logit="logit(Yes) - logit(No) of the first answer token"),
                limits=next(iter(examples.sets.values())).limits,
                **_forms(examples),
            )
            card_draft.write_text(card.model_dump_json(indent=1) + "\n", "utf-8")
    except OSError as error:
        raise UsageError(str(error), where=folder, remedy="free disk space, and train again") from error
    return card


def _forms(examples: Examples) -> dict[str, Any]:
    """Return the most frequent form of the examples as the card's ``prompt``, and the other forms by name."""
    counts = Counter(one.set for one in examples.train)
    ordered = sorted(examples.sets.values(), key=lambda head: (-counts[head.set], head.set))
    forms: dict[str, JudgeForm] = {}
    for head in ordered[1:]:
        if head.prompt != ordered[0].prompt and head.prompt not in forms.values():
            # Where two forms have the same name, the second one's ends with its set.
            forms[head.form if head.form not in forms else f"{head.form} {head.set}"] = head.prompt
    return {"prompt": ordered[0].prompt, "forms_that_travelled": forms}


def _trained_on(
    examples: Examples, options: TrainOptions, progress: TrainingProgress, device: str, data: dict[str, str]
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
                "recall": head.prior,
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
