"""Ridge regression on the similarities with some contents, the landmarks: one output for each of many tags.

With as many landmarks as contents it is exact kernel ridge regression; with fewer it is Nyström's approximation,
whose cost grows with the number of contents and not with its cube.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from llm4tag.tools.terms import Floats32


@dataclass(frozen=True)
class LandmarkRegression:
    """A regression over r landmarks and f tags."""

    to_features: Floats32
    """Turns similarities with the landmarks into k features in which the penalised covariance is 1, (r, k)."""
    weights: Floats32
    """Of the features, shape (k, f)."""

    def features(self, similarities: Floats32) -> Floats32:
        """Return the features of contents, shape (n, k), from their similarities, shape (n, r)."""
        found: Floats32 = similarities @ self.to_features
        return found

    def scores(self, features: Floats32) -> Floats32:
        """Return what the regression says of each tag, (…, f), from features, (…, k)."""
        found: Floats32 = features @ self.weights
        return found

    def learnt_from(self, features: Floats32, left_out: Floats32, labels: Floats32) -> Floats32:
        """Return how much of the scores of a content was learnt from some contents, shape (f,).

        The scores less that are exactly those of a regression without these contents (Woodbury's identity):
        h · (1 - H)⁻¹ · (labels - fitted), where H is what the contents say of each other.

        Args:
            features: of the content, shape (k,).
            left_out: features of the contents that are left out, shape (g, k).
            labels: 1 where these have the tag, else 0; shape (g, f).
        """
        unexplained = labels - self.scores(left_out)
        among = np.eye(len(left_out)) - left_out.astype(np.float64) @ left_out.T
        found: Floats32 = (left_out @ features) @ linalg.solve(among, unexplained, assume_a="pos")
        return found


@dataclass
class LandmarkSums:
    """What is summed over contents, in blocks, to fit a regression."""

    covariance: NDArray[np.float64]
    """Σ s · sᵀ of similarities s with the landmarks, shape (r, r)."""
    by_tag: NDArray[np.float64]
    """Σ s · labels, shape (r, f)."""

    @classmethod
    def empty(cls, landmarks: int, tags: int) -> Self:
        """Return the sums over no content."""
        return cls(np.zeros((landmarks, landmarks)), np.zeros((landmarks, tags)))

    def regression(self, among: Floats32, ridge: float) -> LandmarkRegression:
        """Return the regression that minimises squared errors + ridge · (the weights' norm in the kernel).

        Args:
            among: similarities of the landmarks with each other, shape (r, r).
            ridge: the penalty.
        """
        sizes, directions = linalg.eigh(among.astype(np.float64))
        large = sizes > _SMALLEST * max(float(sizes[-1]), 1.0)
        whitened = directions[:, large] / np.sqrt(sizes[large])
        spread, turned = linalg.eigh(whitened.T @ self.covariance @ whitened)
        to_features = whitened @ (turned / np.sqrt(np.maximum(spread, 0.0) + ridge))
        weights = to_features.T @ self.by_tag
        return LandmarkRegression(to_features.astype(np.float32), weights.astype(np.float32))


_SMALLEST = 1e-5
"""Directions of the kernel in which contents differ by less than this share of the most are left out."""
