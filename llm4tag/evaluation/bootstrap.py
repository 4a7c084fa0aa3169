"""How far chance in the choice of documents moves what is measured."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from llm4tag.evaluation.metrics import CONFIDENCE, METRICS, RANKING, Document, Floats, Pairs, pairs_of

RESAMPLES = 1000
LEVEL = 0.95

Interval = tuple[float, float]


def draws(count: int, resamples: int = RESAMPLES, seed: int = 0) -> Iterator[NDArray[np.int64]]:
    """Yield how often each of ``count`` documents, at least one, is drawn, shape (count,), once a resample.

    Whole documents are drawn, as the pairs of one document depend on each other. The same seed gives the same
    draws.
    """
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(random.integers(0, count, count), minlength=count)


def percentiles(drawn: Floats, level: float = LEVEL) -> Interval | None:
    """Return the percentile interval of what the resamples gave; NaN, undefined, is left out; None: all of it."""
    defined = drawn[~np.isnan(drawn)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def intervals(
    documents: Sequence[Document],
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
    pairs: Pairs | None = None,
) -> dict[str, Interval | None]:
    """Return bootstrap percentile intervals over documents, at least one, by metric.

    A resample in which a metric is undefined is left out of that metric; one that is undefined in all of them has
    None. Metrics of confidence are of ``pairs``; by default, of ``pairs_of(documents)``.
    """
    ranking = np.array([[metric(one) for metric in RANKING.values()] for one in documents])
    pairs = pairs_of(documents) if pairs is None else pairs
    drawn = np.array(
        [
            [*(times @ ranking / len(documents)), *_of_confidence(pairs.repeated(times))]
            for times in draws(len(documents), resamples, seed)
        ]
    )
    return {name: percentiles(column, level) for name, column in zip(METRICS, drawn.T, strict=True)}


def pair_intervals(pairs: Pairs, documents: int, resamples: int = RESAMPLES) -> dict[str, Interval | None]:
    """Return the same for the metrics of confidence alone, over pairs of so many documents."""
    drawn = np.array([_of_confidence(pairs.repeated(times)) for times in draws(documents, resamples)])
    return {name: percentiles(column) for name, column in zip(CONFIDENCE, drawn.T, strict=True)}


def _of_confidence(pairs: Pairs) -> list[float]:
    values = [metric(pairs) for metric in CONFIDENCE.values()]
    return [np.nan if value is None else value for value in values]
