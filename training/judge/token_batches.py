"""Token sequences as tensors: a branch sees the prefix and itself, and its positions go on from the prefix.

So all candidates of a content cost one pass over its text, and each is judged as if it stood alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llm4tag.training.judge.base_model import package
from llm4tag.training.judge.token_sequences import TokenSequence

HIDDEN = -30_000.0
"""What is added to the score of what a token may not see: the type's minimum makes attention's gradients NaN."""


@dataclass(frozen=True)
class Packed:
    """n sequences of at most t tokens, with b branches in all."""

    tokens: Any
    """Shape (n, t), int64."""
    positions: Any
    """Shape (n, t), int64."""
    mask: Any
    """What is added to attention scores, shape (n, 1, t, t), in the model's type."""
    ends: tuple[Any, Any]
    """Sequence and place of the last token of each branch, each of shape (b,)."""
    right: Any
    """1 where the tag is right, shape (b,), float32."""


def packed(sequences: Sequence[TokenSequence], device: Any, dtype: Any) -> Packed:
    """Pack sequences, the shorter ones padded at the end."""
    torch = package("torch")
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
    return Packed(
        tokens=tokens.to(device),
        positions=positions.to(device),
        mask=_mask(part.to(device), dtype),
        ends=(torch.tensor(rows, device=device), torch.tensor(ends, device=device)),
        right=right.to(device),
    )


def _mask(part: Any, dtype: Any) -> Any:
    torch = package("torch")
    asking, asked = part[:, :, None], part[:, None, :]
    length = part.shape[1]
    earlier = torch.ones((length, length), dtype=torch.bool, device=part.device).tril()
    # Padding sees itself, so that no row of the softmax is empty.
    seen = earlier & ((asked == 0) | (asked == asking))
    return torch.where(seen, 0.0, HIDDEN).to(dtype)[:, None]
