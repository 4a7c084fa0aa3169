"""Log odds and back."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CLIP = 1e-4
"""Probabilities are moved this far from 0 and 1, where log odds end."""


def log_odds(probability: float, clip: float = CLIP) -> float:
    """Return ln(p / (1 - p)) of a probability, moved ``clip`` away from 0 and 1."""
    inside = min(1.0 - clip, max(clip, probability))
    return math.log(inside / (1.0 - inside))


def probabilities(logits: Floats) -> Floats:
    """Return the probabilities of log odds, of the same shape."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0))))
