"""The fit of a calibrator on labelled documents: held-out log loss chooses the columns, the penalty and the map.

All folds are split by document, because the tags of one document depend on each other.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from llm4tag.calibration.calibrator import Combination, Map, MapKind, Scale
from llm4tag.calibration.columns import (
    CALIBRATOR_COLUMNS,
    EVIDENCE_COLUMNS,
    LLM_SIGNALS,
    RECALL_COLUMNS,
    columns_of_signal,
)
from llm4tag.calibration.log_odds import Floats, probabilities
from llm4tag.training.fusion_fit import fit_logistic
from llm4tag.training.labelled_pairs import LabelledPairs

T = TypeVar("T")

FEWEST_DOCUMENTS = 20
"""With fewer labelled documents nothing is fitted."""
STRENGTHS = (0.01, 0.1, 1.0)
"""Inverses of the L2 penalty that are tried, over standardised columns."""
SPREADS = (0.05, 0.2, 0.8, 2.0)
"""Variances of the tags' offsets that are tried, in log odds squared."""
_INNER = 5
"""Number of folds in which choices are compared."""
_FEW = 100
"""With fewer documents there are ten outer folds instead of five, so that each fit has most."""
MAPS: tuple[MapKind, ...] = ("none", "temperature", "beta", "isotonic")


@dataclass(frozen=True)
class Fit:
    """A fitted scale, and how it was chosen."""

    scale: Scale
    method: str
    """The choices in words."""
    losses: dict[str, float]
    """Held-out log loss of each choice, by the choice in words."""


def fit_scale(pairs: LabelledPairs, seed: int = 0) -> Fit:
    """Fit on all pairs: first a combination of columns, then a map over it, then the tags' own offsets.

    Maps and offsets are fitted on held-out log odds. A less simple choice is made only where it lowers the
    held-out log loss by more than chance would; see ``_simplest``.

    Args:
        pairs: the candidates of labelled documents.
        seed: seed of the folds.
    """
    folds = list(document_folds(pairs.document, _INNER, seed))
    held_out = {choice: _held_out(pairs, folds, *choice) for choice in _choices(pairs)}
    losses = {_words(*choice): _loss(logits, pairs.right) for choice, logits in held_out.items()}
    columns, strength = _simplest(_best_strengths(held_out, pairs), pairs)
    logits = held_out[columns, strength]
    kind, mapped = _best_map(pairs, folds, logits, losses)
    spread = _best_spread(pairs, folds, mapped, losses)
    scale = Scale(
        combination=Combination(columns, _logistic(pairs, columns, strength)),
        map=(chosen := fit_map(kind, logits, pairs.right)),
        offsets=tag_offsets(pairs, chosen.logits(logits), spread) if spread else {},
    )
    method = _words(columns, strength)
    method += {"none": "", "temperature": ", then temperature", "beta": ", then beta calibration"}.get(
        kind, ", then isotonic regression"
    )
    return Fit(scale, method + (f", tags' own offsets (variance {spread:g})" if spread else ""), losses)


def cross_fitted(
    pairs: LabelledPairs,
    fit: Callable[[LabelledPairs], Scale],
    seed: int = 0,
    done: Callable[[int], None] | None = None,
) -> tuple[Floats, Floats]:
    """Return the log odds of each pair by a fit on other documents; the choices of the fit are made on them too.

    Args:
        pairs: the candidates of all documents.
        fit: fits on the documents of the other folds.
        seed: seed of the folds.
        done: called with 1 after each of ``outer_folds`` fits.

    Returns:
        The log odds, and the log odds of the combination alone, which break ties; both of shape (n,).
    """
    logits, combined = np.zeros(len(pairs.right)), np.zeros(len(pairs.right))
    for train, test in document_folds(pairs.document, outer_folds(len(np.unique(pairs.document))), seed + 1):
        scale = fit(pairs.at(train))
        held = pairs.at(test)
        logits[test] = scale.logits(held.rows, held.tags.tolist())
        combined[test] = scale.combination.logits(held.rows)
        if done is not None:
            done(1)
    return logits, combined


def document_folds(
    document: NDArray[np.int64], count: int, seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield for each fold the rows of the documents outside it, and the rows of those inside.

    Args:
        document: index of each row's document.
        count: the number of folds; where there are fewer documents, the number of documents.
        seed: seed of the split.
    """
    from sklearn.model_selection import GroupKFold

    count = min(count, len(np.unique(document)))
    yield from GroupKFold(count, shuffle=True, random_state=seed).split(document, groups=document)


def outer_folds(documents: int) -> int:
    """Return the number of folds into which that many documents are split."""
    return 10 if documents < _FEW else 5


def fit_columns(pairs: LabelledPairs, names: Sequence[str]) -> Scale:
    """Fit on some columns alone with the lightest penalty, to measure the value of one signal by itself."""
    columns = pairs.varying(names)
    return Scale(Combination(columns, _logistic(pairs, columns, STRENGTHS[-1])), Map("none", np.zeros(0)), {})


def fit_map(kind: MapKind, logits: Floats, right: NDArray[np.bool_]) -> Map:
    """Fit a map on held-out log odds; return no map where the fit would change the order."""
    from scipy import optimize
    from sklearn.isotonic import IsotonicRegression

    nothing = Map("none", np.zeros(0))
    if kind == "none" or right.all() or not right.any():
        return nothing
    if kind == "temperature":
        best = optimize.minimize_scalar(
            lambda log: _loss(logits / np.exp(log), right), bounds=(-2.0, 2.0), method="bounded"
        )
        return Map("temperature", np.array([np.exp(best.x)]))
    if kind == "beta":
        from sklearn.linear_model import LogisticRegression

        sides = np.column_stack([-np.logaddexp(0.0, -logits), np.logaddexp(0.0, logits)])
        model = LogisticRegression(C=100.0, solver="newton-cholesky", max_iter=1000).fit(sides, right)
        # A negative weight would reverse the order.
        values = np.append(model.coef_[0], model.intercept_[0])
        return Map("beta", values) if (values[:2] >= 0).all() else nothing
    edge = 0.5 / len(right)
    steps = IsotonicRegression(y_min=edge, y_max=1.0 - edge, out_of_bounds="clip").fit(logits, right)
    return Map("isotonic", np.array([steps.X_thresholds_, steps.y_thresholds_]))


def tag_offsets(pairs: LabelledPairs, logits: Floats, spread: float) -> dict[str, float]:
    """Return for each tag the offset to the pooled log odds that its own pairs support.

    It is one Newton step towards the posterior mode under a normal prior around the pooled map: (right - expected)
    over (information + 1 / spread). So the offset of a tag with few pairs is close to 0.

    Args:
        pairs: the candidates of labelled documents.
        logits: their pooled log odds, shape (n,).
        spread: variance of the prior.
    """
    expected = probabilities(logits)
    tags, place = np.unique(pairs.tags, return_inverse=True)
    surplus = np.bincount(place, weights=pairs.right - expected, minlength=len(tags))
    information = np.bincount(place, weights=expected * (1.0 - expected), minlength=len(tags))
    moved = surplus / (information + 1.0 / spread)
    return {str(tag): float(one) for tag, one in zip(tags, moved, strict=True)}


def _choices(pairs: LabelledPairs) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield each set of columns with each inverse penalty, the simplest sets first."""
    llm = [column for name in LLM_SIGNALS for column in columns_of_signal(name)]
    sets = (("recall",), (*RECALL_COLUMNS, *llm), (*RECALL_COLUMNS, *llm, *EVIDENCE_COLUMNS))
    for columns in dict.fromkeys(pairs.varying(names) for names in sets):
        for strength in STRENGTHS:
            yield columns, strength


def _words(columns: tuple[str, ...], strength: float) -> str:
    said = {name for name in LLM_SIGNALS if any(column.startswith(name) for column in columns)}
    parts = ["recall", *(name for name in LLM_SIGNALS if name in said)]
    if len([column for column in columns if column in RECALL_COLUMNS]) > 1:
        parts[0] = "recall (with its place)"
    evidence = sum(column in EVIDENCE_COLUMNS for column in columns)
    if evidence:
        parts.append(f"{evidence} figures of its evidence")
    return f"logistic regression (C {strength:g}) over {', '.join(parts)}"


def _held_out(
    pairs: LabelledPairs,
    folds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    columns: tuple[str, ...],
    strength: float,
) -> Floats:
    logits = np.zeros(len(pairs.right))
    for train, test in folds:
        combination = Combination(columns, _logistic(pairs.at(train), columns, strength))
        logits[test] = combination.logits(pairs.rows[test])
    return logits


def _best_map(
    pairs: LabelledPairs,
    folds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    logits: Floats,
    losses: dict[str, float],
) -> tuple[MapKind, Floats]:
    """Return the chosen map and its held-out log odds."""
    tried: dict[MapKind, Floats] = {}
    for kind in MAPS:
        tried[kind] = logits.copy()
        for train, test in folds:
            tried[kind][test] = fit_map(kind, logits[train], pairs.right[train]).logits(logits[test])
        losses[f"map: {kind}"] = _loss(tried[kind], pairs.right)
    best = _simplest(tried, pairs)
    return best, tried[best]


def _best_spread(
    pairs: LabelledPairs,
    folds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    logits: Floats,
    losses: dict[str, float],
) -> float:
    """Return the chosen variance of the offsets; 0: no offsets."""
    tried: dict[float, Floats] = {}
    losses["offsets: 0"] = _loss(logits, pairs.right)
    for spread in SPREADS:
        tried[spread] = moved = logits.copy()
        for train, test in folds:
            offsets = tag_offsets(pairs.at(train), logits[train], spread)
            moved[test] += [offsets.get(tag, 0.0) for tag in pairs.tags[test].tolist()]
        losses[f"offsets: {spread:g}"] = _loss(moved, pairs.right)
    best = min(SPREADS, key=lambda spread: losses[f"offsets: {spread:g}"])
    return _simplest({0.0: logits, best: tried[best]}, pairs)


def _best_strengths(
    held_out: Mapping[tuple[tuple[str, ...], float], Floats], pairs: LabelledPairs
) -> dict[tuple[tuple[str, ...], float], Floats]:
    """Return for each set of columns only the penalty with the lowest loss."""
    best: dict[tuple[str, ...], float] = {}
    for columns, strength in sorted(held_out, key=lambda choice: _loss(held_out[choice], pairs.right)):
        best.setdefault(columns, strength)
    return {choice: logits for choice, logits in held_out.items() if best[choice[0]] == choice[1]}


def _simplest(tried: Mapping[T, Floats], pairs: LabelledPairs) -> T:
    """Return one of several choices.

    A later choice replaces an earlier one if its held-out log loss is lower by more than the standard error of the
    difference over documents. The lowest of many losses is often the lowest by chance, which does harm where there
    are few documents.

    Args:
        tried: held-out log odds of each choice, the simplest choice first.
        pairs: the candidates that the log odds belong to.
    """
    (best, logits), *others = tried.items()
    for choice, found in others:
        gain = _losses(logits, pairs.right) - _losses(found, pairs.right)
        by_document = np.bincount(pairs.document, weights=gain)[np.unique(pairs.document)]
        if by_document.sum() > by_document.std(ddof=1) * len(by_document) ** 0.5:
            best, logits = choice, found
    return best


def _logistic(pairs: LabelledPairs, columns: Sequence[str], strength: float) -> Floats:
    """Return the weights of columns without standardisation, and the intercept; shape (columns + 1,)."""
    # There are few columns, so Newton's steps are cheap, and they need no threads that could be held up.
    chosen = pairs.rows[:, [CALIBRATOR_COLUMNS.index(name) for name in columns]]
    return fit_logistic(chosen, pairs.right, strength, solver="newton-cholesky")


def _loss(logits: Floats, right: NDArray[np.bool_]) -> float:
    return float(np.mean(_losses(logits, right)))


def _losses(logits: Floats, right: NDArray[np.bool_]) -> Floats:
    return np.asarray(np.logaddexp(0.0, np.where(right, -logits, logits)))
