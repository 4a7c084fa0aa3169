"""Batches of token sequences as tensors: a branch attends to the prefix and to itself alone.

So all candidates of a content take one pass over its text, and each is judged as if it were the only one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llm4tag.training.judge.base_model import training_package
from llm4tag.training.judge.token_sequences import TokenSequence

HIDDEN = -30_000.0
"""Added to the attention score of a token that is not seen; the minimum of the type would make gradients NaN."""


@dataclass(frozen=True)
class TokenBatch:
    """n token sequences of at most t tokens, with b branches in all."""

    tokens: Any
    """Shape (n, t), int64."""
    positions: Any
    """Shape (n, t), int64."""
    mask: Any
    """Added to attention scores, shape (n, 1, t, t), in the model's type."""
    ends: tuple[Any, Any]
    """Sequence and position of the last token of each branch, both of shape (b,)."""
    right: Any
    """1 where the tag is right, else 0; shape (b,), float32."""


def token_batch(sequences: Sequence[TokenSequence], device: Any, dtype: Any) -> TokenBatch:
    """Return sequences as one batch, the shorter ones padded at the end.

    Args:
        sequences: at least one.
        device: the device of the tensors.
        dtype: the model's type.
    """
    torch = training_package("torch")
    count, longest = len(sequences), max(one.length for one in sequences)
    tokens = torch.zeros((count, longest), dtype=torch.int64)
    positions = torch.zeros((count, longest), dtype=torch.int64)
    part = torch.full((count, longest), -1, dtype=torch.int64)  # 0: prefix, 1…: branches, -1: padding
    rows: list[int] = []
    ends: list[int] = []
    for row, one in enumerate(sequences):
        place = len(one.prefix)
        tokens[row, :place] = torch.tensor(one.prefix, dtype=torch.int64)
        positions[row, :place] = torch.arange(place)
        part[row, :place] = 0
        for number, branch in enumerate(one.branches, 1):
            end = place + len(branch)
            tokens[row, place:end] = torch.tensor(branch, dtype=torch.int64)
            positions[row, place:end] = torch.arange(len(one.prefix), len(one.prefix) + len(branch))
            part[row, place:end] = number
            rows.append(row)
            ends.append(end - 1)
            place = end
    right = torch.tensor([value for one in sequences for value in one.right], dtype=torch.float32)
    return TokenBatch(
        tokens=tokens.to(device),
        positions=positions.to(device),
        mask=_mask(part.to(device), dtype),
        ends=(torch.tensor(rows, device=device), torch.tensor(ends, device=device)),
        right=right.to(device),
    )


def _mask(part: Any, dtype: Any) -> Any:
    torch = training_package("torch")
    seeing, visible = part[:, :, None], part[:, None, :]
    length = part.shape[1]
    earlier = torch.ones((length, length), dtype=torch.bool, device=part.device).tril()
    # Padding sees itself, so that no row of the softmax is empty.
    seen = earlier & ((visible == 0) | (visible == seeing))
    return torch.where(seen, 0.0, HIDDEN).to(dtype)[:, None]
