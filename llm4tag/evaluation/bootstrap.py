"""Bootstrap intervals: how far chance in the choice of documents moves a metric."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from llm4tag.calibration.log_odds import Floats
from llm4tag.evaluation.metrics import CONFIDENCE, METRICS, RANKING, ConfidencePairs, RankedTags, pairs_of

RESAMPLES = 1000
INTERVAL_LEVEL = 0.95
"""The share of resamples within an interval."""

Interval = tuple[float, float]


def draws(count: int, resamples: int = RESAMPLES, seed: int = 0) -> Iterator[NDArray[np.int64]]:
    """Yield, for each resample, how often each document is drawn, shape (count,).

    Whole documents are drawn, as the pairs of one document depend on each other. The same seed gives the same
    draws.

    Args:
        count: the number of documents; at least one.
        resamples: the number of resamples.
        seed: of the random draws.
    """
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(random.integers(0, count, count), minlength=count)


def percentiles(drawn: Floats, level: float = INTERVAL_LEVEL) -> Interval | None:
    """Return the percentile interval of the resamples' values without NaN; None if all are NaN."""
    defined = drawn[~np.isnan(drawn)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def intervals(
    documents: Sequence[RankedTags],
    resamples: int = RESAMPLES,
    level: float = INTERVAL_LEVEL,
    seed: int = 0,
    pairs: ConfidencePairs | None = None,
) -> dict[str, Interval | None]:
    """Return bootstrap percentile intervals over documents, at least one, by metric.

    A resample in which a metric is undefined is left out for that metric; a metric that is undefined in all of
    them has None. Metrics of confidence are over ``pairs``; by default, over ``pairs_of(documents)``.
    """
    ranking = np.array([[metric(one) for metric in RANKING.values()] for one in documents])
    pairs = pairs_of(documents) if pairs is None else pairs
    drawn = np.array(
        [
            [*(times @ ranking / len(documents)), *_confidence_values(pairs.repeated(times))]
            for times in draws(len(documents), resamples, seed)
        ]
    )
    return {name: percentiles(column, level) for name, column in zip(METRICS, drawn.T, strict=True)}


def pair_intervals(
    pairs: ConfidencePairs, documents: int, resamples: int = RESAMPLES
) -> dict[str, Interval | None]:
    """Return intervals of the metrics of confidence alone, for pairs of that number of documents."""
    drawn = np.array([_confidence_values(pairs.repeated(times)) for times in draws(documents, resamples)])
    return {name: percentiles(column) for name, column in zip(CONFIDENCE, drawn.T, strict=True)}


def _confidence_values(pairs: ConfidencePairs) -> list[float]:
    values = [metric(pairs) for metric in CONFIDENCE.values()]
    return [np.nan if value is None else value for value in values]
