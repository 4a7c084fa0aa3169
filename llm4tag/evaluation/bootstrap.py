"""How far chance in the choice of documents moves the metrics."""

from collections.abc import Sequence

import numpy as np

from llm4tag.evaluation.metrics import CONFIDENCE, METRICS, RANKING, Document, Pairs, pairs_of

RESAMPLES = 1000


def intervals(
    documents: Sequence[Document],
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
    pairs: Pairs | None = None,
) -> dict[str, tuple[float, float] | None]:
    """Return bootstrap percentile intervals over documents, at least one, by metric.

    Whole documents are drawn, as the pairs of one document depend on each other. A resample in which a metric is
    undefined is left out of that metric; one that is undefined in all of them has None. Metrics of
    confidence are of ``pairs``; by default, of ``pairs_of(documents)``.
    """
    random = np.random.default_rng(seed)
    count = len(documents)
    ranking = np.array([[metric(one) for metric in RANKING.values()] for one in documents])
    pairs = pairs_of(documents) if pairs is None else pairs
    drawn = np.full((resamples, len(METRICS)), np.nan)
    for row in drawn:
        times = np.bincount(random.integers(0, count, count), minlength=count)
        resampled = pairs.repeated(times)
        values = [metric(resampled) for metric in CONFIDENCE.values()]
        row[:] = [*(times @ ranking / count), *(np.nan if value is None else value for value in values)]
    tail = (1 - level) / 2
    found: dict[str, tuple[float, float] | None] = {}
    for name, column in zip(METRICS, drawn.T, strict=True):
        defined = column[~np.isnan(column)]
        found[name] = None
        if len(defined):
            low, high = np.quantile(defined, [tail, 1 - tail])
            found[name] = (float(low), float(high))
    return found
