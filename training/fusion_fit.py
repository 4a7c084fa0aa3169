"""The fit of the fusion of evidence: logistic regressions whose penalty is centred on a prior."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from llm4tag.calibration.log_odds import Floats, probabilities
from llm4tag.calibration.recall_prior import GROUPS, RecallPrior
from llm4tag.training.evidence_pairs import EvidencePairs

STRENGTH = 0.1
"""Inverse of the L2 penalty of a logistic regression without a prior, over standardised features."""
_PENALTY_OF_MANY, _PENALTY_OF_ONE = 30.0, 1500.0
"""The penalty on moving a weight away from the prior: the first, plus the second over the number of documents."""
_PENALTY_OF_INTERCEPT = 3.0
"""Small: vocabularies differ most in how many tags a content gets."""
_FOLDS = 5
_MOST_WRONG = 60_000
"""Of more wrong pairs a random part is fitted on, which counts for all: they are many, and much alike."""


def moved_weights(pairs: EvidencePairs, prior: RecallPrior, contents: int) -> Floats:
    """Return what moves a prior's weights to where history is likeliest, shape (groups, columns + 1).

    It maximises the log-likelihood of the pairs less penalty / 2 · |moved|², over standardised columns.

    Args:
        pairs: of the documents of history that it learns from.
        prior: of the store.
        contents: the number of tagged contents of the store.
    """
    documents = len(np.unique(pairs.document))
    share = min(1.0, _MOST_WRONG / max(1, int((~pairs.right).sum())))
    pairs, counts = pairs.drawn(share, np.random.default_rng(0))
    penalty = np.full(prior.means.shape[1] + 1, _PENALTY_OF_MANY + _PENALTY_OF_ONE / max(1, documents))
    penalty[-1] = _PENALTY_OF_INTERCEPT
    weights = prior.weights_at(contents)
    moved = np.zeros_like(weights)
    for group in range(GROUPS):
        own = pairs.groups == group
        if own.any():
            rows = prior.standardised(pairs.rows[own], group)
            start = pairs.offsets[own] + rows @ weights[group]
            moved[group] = fit_centred(rows, pairs.right[own], start, penalty, counts[own])
    return moved


def fit_centred(
    rows: Floats, right: NDArray[np.bool_], offsets: Floats, penalty: Floats, weights: Floats | None = None
) -> Floats:
    """Return the weights of a logistic regression with offsets and a penalty for each weight, shape (columns,).

    Args:
        rows: shape (n, columns).
        right: what is predicted, shape (n,).
        offsets: log odds to which the rows' are added, shape (n,).
        penalty: of each weight's square, halved; shape (columns,).
        weights: of the rows, shape (n,); None: 1 each.
    """
    from scipy.optimize import minimize

    target = right.astype(np.float64)

    def loss(found: Floats) -> tuple[float, Floats]:
        logits = offsets + rows @ found
        losses = np.logaddexp(0.0, logits) - target * logits
        surplus = probabilities(logits) - target
        if weights is not None:
            losses, surplus = losses * weights, surplus * weights
        value = float(losses.sum()) + 0.5 * float(penalty @ found**2)
        return value, rows.T @ surplus + penalty * found

    found = minimize(loss, np.zeros(rows.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return np.asarray(found.x, dtype=np.float64)


def held_out_logits(pairs: EvidencePairs, prior: RecallPrior, contents: int, seed: int) -> tuple[Floats, Floats]:
    """Return the log odds of each pair by a fit on other documents, and by the prior as it is; both (n,).

    Args:
        pairs: of the documents.
        prior: of the store.
        contents: the number of tagged contents of the store.
        seed: of the folds.
    """
    weights = prior.weights_at(contents)
    fitted = prior.logits(pairs.rows, pairs.groups, pairs.offsets, weights)
    as_it_is = fitted.copy()
    for held in _folds(pairs.document, seed):
        found = weights + moved_weights(pairs.at(~held), prior, contents)
        some = pairs.at(held)
        fitted[held] = prior.logits(some.rows, some.groups, some.offsets, found)
    return fitted, as_it_is


def _folds(document: NDArray[np.int64], seed: int) -> Iterator[NDArray[np.bool_]]:
    """Yield for each fold which pairs are of its documents; nothing where there is one document alone."""
    documents = np.random.default_rng(seed).permutation(np.unique(document))
    for some in np.array_split(documents, min(_FOLDS, len(documents))) if len(documents) > 1 else ():
        yield np.isin(document, some)


def losses_of(logits: Floats, right: NDArray[np.bool_]) -> Floats:
    """Return the log loss of each pair, of the same shape."""
    return np.asarray(np.logaddexp(0.0, np.where(right, -logits, logits)))


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
