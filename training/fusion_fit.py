"""The fit of the fusion of evidence: two logistic regressions over documents and candidates."""

import numpy as np
from numpy.typing import NDArray

from llm4tag.calibration.evidence_fusion import FusionWeights
from llm4tag.calibration.log_odds import Floats
from llm4tag.training.held_out_evidence import EvidencePairs

STRENGTH = 0.1
"""Inverse of the L2 penalty, over standardised features."""


def fit_weights(pairs: EvidencePairs) -> FusionWeights:
    """Fit one set of weights on the pairs with seen tags, and one on those with unseen tags."""
    seen = pairs.seen
    return FusionWeights(
        seen=fit_logistic(pairs.rows[seen], pairs.right[seen]),
        unseen=fit_logistic(pairs.rows[~seen], pairs.right[~seen]),
    )


def fit_logistic(
    rows: Floats, right: NDArray[np.bool_], strength: float = STRENGTH, solver: str = "lbfgs"
) -> Floats:
    """Return the weights of a logistic regression and its intercept, shape (features + 1,).

    The regression is fitted on standardised features, the weights are for features without standardisation.

    Args:
        rows: the features, shape (n, features).
        right: what is predicted, shape (n,).
        strength: inverse of the L2 penalty.
        solver: scikit-learn's solver.
    """
    from sklearn.linear_model import LogisticRegression

    if right.all() or not right.any() or not rows.shape[1]:
        # There is nothing to distinguish: all get the smoothed share of right ones.
        share = (right.sum() + 0.5) / (len(right) + 1)
        return np.append(np.zeros(rows.shape[1]), np.log(share / (1 - share)))
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scale[scale < 1e-9] = 1.0
    model = LogisticRegression(C=strength, solver=solver, max_iter=1000)
    model.fit((rows - mean) / scale, right)
    weights = model.coef_[0] / scale
    return np.append(weights, model.intercept_[0] - weights @ mean)
