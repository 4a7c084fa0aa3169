"""What a judge is worth on the contents that are held out."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from llm4tag.training.judge.base_model import Base, package
from llm4tag.training.judge.lora_layers import judged
from llm4tag.training.judge.token_batches import packed
from llm4tag.training.judge.token_sequences import TokenSequence


class HeldOut(BaseModel):
    """Figures of one measurement."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int
    log_loss: float
    """Mean over pairs, in nats."""
    auroc: float | None
    """Over all pairs; None where all or none are right."""
    constant_log_loss: float
    """Of the share of right pairs, given to each."""
    answered: float
    """Mean P(Yes) + P(No): a server lists the likeliest tokens alone, and what is not among them goes unheard."""
    pairs: int
    contents: int


def measure(
    base: Base, sequences: Sequence[TokenSequence], at_once: int, step: int, between: Callable[[], None]
) -> HeldOut:
    """Judge the held-out sequences.

    Args:
        base: with the matrices as they are.
        sequences: at least one.
        at_once: sequences in one batch.
        step: to note.
        between: called after each batch; may raise to stop.
    """
    torch = package("torch")
    logits: list[NDArray[np.float64]] = []
    shares: list[float] = []
    base.model.eval()
    # By length: little padding.
    ordered = sorted(sequences, key=lambda one: one.length)
    with torch.no_grad():
        for start in range(0, len(ordered), at_once):
            batch = packed(ordered[start : start + at_once], base.device, base.model.dtype)
            differences, answered = judged(base, batch)
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
) -> HeldOut:
    """Return log loss and AUROC of log odds, and how much of the answers is one; all of shape (pairs,)."""
    from sklearn.metrics import roc_auc_score

    share = float(right.mean())
    mixed = 0.0 < share < 1.0
    return HeldOut(
        step=step,
        log_loss=float(np.logaddexp(0.0, np.where(right, -logits, logits)).mean()),
        auroc=float(roc_auc_score(right, logits)) if mixed else None,
        constant_log_loss=-share * np.log(share) - (1 - share) * np.log(1 - share) if mixed else 0.0,
        answered=float(answered.mean()),
        pairs=len(right),
        contents=contents,
    )
