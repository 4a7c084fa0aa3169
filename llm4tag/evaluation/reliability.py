"""Reliability of a confidence: how often tags of about the same confidence are right."""

import numpy as np
from pydantic import BaseModel, ConfigDict

from llm4tag.evaluation.bootstrap import Interval, draws, percentiles
from llm4tag.evaluation.metrics import ECE_BINS, ConfidencePairs

EDGES = tuple((step / 20) ** 2 for step in range(21))
"""Edges of the histogram's bins, narrower at the low end, where most candidates lie."""


class ReliabilityBin(BaseModel):
    """Pairs of about the same confidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: int
    lowest: float
    highest: float
    confidence: float
    """Mean confidence of the pairs."""
    right: float
    """Share of the pairs that are right."""
    interval: Interval | None
    """95 % over resampled documents."""


def reliability(pairs: ConfidencePairs, documents: int, bins: int = ECE_BINS) -> tuple[ReliabilityBin, ...]:
    """Return bins of equal mass by rising confidence; equal confidences share a bin, so there may be fewer bins.

    Args:
        pairs: the pairs to sort into bins.
        documents: the number of documents that the pairs come from; at least one.
        bins: the number of bins, at most.
    """
    if not len(pairs):
        return ()
    starts = np.flatnonzero(np.diff(pairs.confidence, prepend=-np.inf))
    wanted = np.linspace(0, len(pairs), bins, endpoint=False)
    edges = np.unique(starts[np.searchsorted(starts, wanted[wanted <= starts[-1]])])
    sizes = np.diff(edges, append=len(pairs))
    of = np.repeat(np.arange(len(edges)), sizes)
    drawn = []
    for times in draws(documents):
        weights = times[pairs.document].astype(np.float64)
        mass = np.bincount(of, weights, minlength=len(edges))
        right = np.bincount(of, weights * pairs.correct, minlength=len(edges))
        drawn.append(np.divide(right, mass, out=np.full(len(edges), np.nan), where=mass > 0))
    columns = np.array(drawn).T
    return tuple(
        ReliabilityBin(
            pairs=int(size),
            lowest=float(pairs.confidence[start]),
            highest=float(pairs.confidence[start + size - 1]),
            confidence=float(pairs.confidence[start : start + size].mean()),
            right=float(pairs.correct[start : start + size].mean()),
            interval=percentiles(column),
        )
        for start, size, column in zip(edges, sizes, columns, strict=True)
    )


def histogram(pairs: ConfidencePairs) -> tuple[int, ...]:
    """Return the number of pairs whose confidence lies between each two neighbours in ``EDGES``."""
    counts, _ = np.histogram(pairs.confidence, EDGES)
    return tuple(int(count) for count in counts)
