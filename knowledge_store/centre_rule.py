"""When the frozen mean that content vectors are centred by is due, the same rule for every backend.

Content vectors of one model share a large common part; without it, neighbours are told apart better. The mean is
frozen, so that scores stay comparable. Whenever the contents have doubled it is computed anew, and takes the place
of the old one only where it has moved: otherwise scores, and what was fitted on them, would shift for nothing.
"""

import numpy as np

from llm4tag.models.embedder import Vector

FEWEST = 100
"""Contents below which nothing is centred: their mean says more about them than about the model."""
_FAR = 0.1
"""Distance between old and new mean, of vectors of length 1, above which the new one is taken."""


def due(contents: int, centred_contents: int) -> bool:
    """Return whether the mean should be looked at.

    Args:
        contents: how many there are now.
        centred_contents: how many there were when it was last looked at, 0 for never.
    """
    return contents >= (2 * centred_contents or FEWEST)


def moved(old: Vector | None, new: Vector) -> bool:
    """Return whether the new mean should take the old one's place."""
    return old is None or float(np.linalg.norm(new - old)) > _FAR
