"""The quality of a judge on held-out contents."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from llm4tag.training.judge.base_model import LoadedBase, training_package
from llm4tag.training.judge.lora_layers import answer_logits
from llm4tag.training.judge.token_batches import token_batch
from llm4tag.training.judge.token_sequences import TokenSequence


class HeldOutQuality(BaseModel):
    """The figures of one measurement."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int
    log_loss: float
    """Mean over the pairs, in nats."""
    auroc: float | None
    """Over all pairs; None where all or none are right."""
    constant_log_loss: float
    """The log loss of a judge that gives every pair the share of right pairs as its probability."""
    answered: float
    """Mean of P(Yes) + P(No); a server lists only the likeliest tokens, so unlikely answers are not seen."""
    pairs: int
    contents: int


def measure(
    base: LoadedBase, sequences: Sequence[TokenSequence], at_once: int, step: int, between: Callable[[], None]
) -> HeldOutQuality:
    """Judge held-out sequences and return the figures.

    Args:
        base: the model with the current matrices.
        sequences: at least one.
        at_once: how many sequences are in one batch.
        step: the step that is recorded in the figures.
        between: called after each batch; it may raise an error to stop.
    """
    torch = training_package("torch")
    logits: list[NDArray[np.float64]] = []
    shares: list[float] = []
    base.model.eval()
    # Sorted by length, batches need little padding.
    ordered = sorted(sequences, key=lambda one: one.length)
    with torch.no_grad():
        for start in range(0, len(ordered), at_once):
            batch = token_batch(ordered[start : start + at_once], base.device, base.model.dtype)
            differences, answered = answer_logits(base, batch)
            logits.append(differences.cpu().numpy().astype(np.float64))
            shares += answered.exp().tolist()
            between()
    right = np.array([value for one in ordered for value in one.right], dtype=bool)
    return figures(np.concatenate(logits), right, np.array(shares), step, len(sequences))


def figures(
    logits: NDArray[np.float64],
    right: NDArray[np.bool_],
    answered: NDArray[np.float64],
    step: int,
    contents: int,
) -> HeldOutQuality:
    """Return the figures of some answers.

    Args:
        logits: log odds of Yes, shape (pairs,).
        right: whether people gave the tag, shape (pairs,).
        answered: P(Yes) + P(No), shape (pairs,).
        step: the step that is recorded in the figures.
        contents: how many contents the pairs belong to.
    """
    from sklearn.metrics import roc_auc_score

    share = float(right.mean())
    mixed = 0.0 < share < 1.0
    return HeldOutQuality(
        step=step,
        log_loss=float(np.logaddexp(0.0, np.where(right, -logits, logits)).mean()),
        auroc=float(roc_auc_score(right, logits)) if mixed else None,
        constant_log_loss=-share * np.log(share) - (1 - share) * np.log(1 - share) if mixed else 0.0,
        answered=float(answered.mean()),
        pairs=len(right),
        contents=contents,
    )
