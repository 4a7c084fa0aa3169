"""Fit the fusion of evidence: two logistic regressions over documents and candidates."""

import numpy as np
from numpy.typing import NDArray

from llm4tag.calibration.evidence_fusion import FusionWeights
from llm4tag.calibration.log_odds import Floats
from llm4tag.training.held_out_evidence import Pairs

STRENGTH = 0.1
"""Inverse of the L2 penalty, over standardised features."""


def fit_weights(pairs: Pairs) -> FusionWeights:
    """Fit on the pairs whose tag the linear scorer knows, and apart on those it does not."""
    seen = pairs.seen
    return FusionWeights(
        seen=fit_logistic(pairs.rows[seen], pairs.right[seen]),
        unseen=fit_logistic(pairs.rows[~seen], pairs.right[~seen]),
    )


def fit_logistic(
    rows: Floats, right: NDArray[np.bool_], strength: float = STRENGTH, solver: str = "lbfgs"
) -> Floats:
    """Return weights for rows as they are, and the intercept; shape (features + 1,)."""
    from sklearn.linear_model import LogisticRegression

    if right.all() or not right.any() or not rows.shape[1]:
        # Nothing to tell apart: the smoothed share of right ones for all.
        share = (right.sum() + 0.5) / (len(right) + 1)
        return np.append(np.zeros(rows.shape[1]), np.log(share / (1 - share)))
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scale[scale < 1e-9] = 1.0
    model = LogisticRegression(C=strength, solver=solver, max_iter=1000)
    model.fit((rows - mean) / scale, right)
    weights = model.coef_[0] / scale
    return np.append(weights, model.intercept_[0] - weights @ mean)
