"""The mean that content vectors are centred by, and when it is computed again: the same in every backend.

Content vectors of one model share a large common part; without it, neighbours differ more clearly. The mean is
frozen, so that scores stay comparable. Whenever the number of contents has doubled it is computed again, and it
replaces the old one only if it has moved: otherwise scores, and what was fitted on them, would shift for nothing.
"""

import numpy as np
from numpy.typing import NDArray

from llm4tag.models.embedder import Vector

FEWEST = 100
"""With fewer contents nothing is centred: their mean says more about them than about the model."""
_FAR = 0.1
"""Distance between the old and the new mean, of vectors of length 1, above which the new one is taken."""


def due(contents: int, centred_contents: int) -> bool:
    """Return whether the mean should be computed again.

    Args:
        contents: number of contents now.
        centred_contents: number of contents when the mean was last computed, 0 for never.
    """
    return contents >= (2 * centred_contents or FEWEST)


def moved(old: Vector | None, new: Vector) -> bool:
    """Return whether the new mean should replace the old one."""
    return old is None or float(np.linalg.norm(new - old)) > _FAR


class RunningMean:
    """The mean of vectors that are added one by one, summed in double precision."""

    def __init__(self) -> None:
        self.count = 0
        self._total: NDArray[np.float64] | None = None

    def add(self, vector: Vector) -> None:
        """Add one vector; all must have the same length."""
        self._total = vector.astype(np.float64) if self._total is None else self._total + vector
        self.count += 1

    @property
    def value(self) -> Vector | None:
        """The mean, or None of fewer than two vectors."""
        if self._total is None or self.count < 2:
            return None
        mean: Vector = (self._total / self.count).astype(np.float32)
        return mean
