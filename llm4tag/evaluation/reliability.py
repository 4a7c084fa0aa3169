"""Whether a confidence means what it says: how often tags of about that confidence are right."""

import numpy as np
from pydantic import BaseModel, ConfigDict

from llm4tag.evaluation.bootstrap import Interval, draws, percentiles
from llm4tag.evaluation.metrics import ECE_BINS, Pairs

EDGES = tuple((step / 20) ** 2 for step in range(21))
"""Edges of the histogram, narrower at the low end, where most candidates lie."""


class ReliabilityBin(BaseModel):
    """Pairs of about the same confidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: int
    lowest: float
    highest: float
    confidence: float
    """Mean over its pairs."""
    right: float
    """Share of its pairs that are right."""
    interval: Interval | None
    """95 % over resampled documents."""


def reliability(pairs: Pairs, documents: int, bins: int = ECE_BINS) -> tuple[ReliabilityBin, ...]:
    """Return bins of equal mass by rising confidence; equal ones stay together, so there may be fewer.

    Args:
        pairs: of so many documents.
        documents: how many; at least one.
        bins: how many at most.
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


def histogram(pairs: Pairs) -> tuple[int, ...]:
    """Return how many pairs have a confidence between each two of ``EDGES``."""
    counts, _ = np.histogram(pairs.confidence, EDGES)
    return tuple(int(count) for count in counts)
