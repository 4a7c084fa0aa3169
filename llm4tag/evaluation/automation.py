"""How much can go out unseen: the risk-coverage curve, the most at a given error, and what was accepted in fact.

*Error* is the share of wrong tags among all accepted ones, pooled over documents. *Automated* is the share of all
right tags, those that recall missed included, that are among the accepted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from llm4tag.evaluation.bootstrap import RESAMPLES, Interval, draws, percentiles
from llm4tag.evaluation.metrics import Document, Floats, Pairs, pairs_of

TARGETS = (0.02, 0.05, 0.10)
"""Errors at which automation is given."""
_GRID = 50
"""Steps of the band around the curve."""
_POINTS = 400


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AtError(_Part):
    """The most that one threshold on confidence can accept at an error, found with the labels in hand.

    Chosen in hindsight it is what no threshold can beat on these documents, and no promise for others.
    """

    target: float
    threshold: float | None
    """Confidence from which tags would be accepted; None: no threshold keeps the error."""
    accepted: int
    error: float | None
    automated: float
    automated_interval: Interval | None
    """95 % over resampled documents, the threshold chosen anew in each."""


class Decided(_Part):
    """What the decision ``accept`` let through."""

    accepted: int
    wrong: int
    error: float | None
    """None where nothing was accepted."""
    error_interval: Interval | None
    automated: float
    automated_interval: Interval | None


class Curve(_Part):
    """Error among the accepted against the share of right tags automated, from the most confident tag down."""

    automated: tuple[float, ...]
    error: tuple[float, ...]
    grid: tuple[float, ...]
    """Shares at which the band is given."""
    low: tuple[float, ...]
    high: tuple[float, ...]
    """95 % bootstrap band of the error at each of ``grid``."""


class Automation(_Part):
    """How much could go out unseen, and what was accepted in fact."""

    at_errors: tuple[AtError, ...]
    decided: Decided


@dataclass(frozen=True)
class _Ranking:
    """All pairs of some documents, most confident first, with how often each document counts."""

    pairs: Pairs
    gold: NDArray[np.int64]
    """Right tags of each document, shape (documents,)."""

    @cached_property
    def _falling(self) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
        """What was right, of which document, and where each run of equal confidences ends."""
        confidence = self.pairs.confidence[::-1]
        ends = np.flatnonzero(np.diff(confidence, append=-np.inf))
        return self.pairs.correct[::-1], self.pairs.document[::-1], ends

    def curve(self, times: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
        """Return accepted, error and automated at each threshold; a tie is accepted whole or not at all."""
        correct, document, ends = self._falling
        weights = times[document].astype(np.float64)
        accepted = np.cumsum(weights)[ends]
        right = np.cumsum(weights * correct)[ends]
        error = np.divide(accepted - right, accepted, out=np.zeros_like(accepted), where=accepted > 0)
        return accepted, error, right / max(1, int(times @ self.gold))

    def threshold(self, place: int) -> float:
        """Return the confidence at a place of the curve."""
        return float(self.pairs.confidence[::-1][self._falling[2][place]])


def _best(error: Floats, automated: Floats, target: float) -> int | None:
    """Return the place that automates most while the error is kept."""
    kept = np.flatnonzero(error <= target)
    return int(kept[np.argmax(automated[kept])]) if len(kept) else None


def automation(
    documents: Sequence[Document], accepted: Sequence[Sequence[bool]], resamples: int = RESAMPLES
) -> Automation:
    """Return how much of the right tags can go out unseen, and at what error.

    Args:
        documents: at least one.
        accepted: for each document, whether each of its ranked tags was accepted.
        resamples: of the documents, for the intervals.
    """
    ranking = _ranking(documents)
    counts, error, automated = ranking.curve(np.ones(len(documents), dtype=np.int64))
    shares = []
    for times in draws(len(documents), resamples):
        _, drawn_error, drawn = ranking.curve(times)
        places = [_best(drawn_error, drawn, target) for target in TARGETS]
        shares.append([0.0 if place is None else drawn[place] for place in places])
    at_errors = []
    for target, drawn_shares in zip(TARGETS, np.array(shares).T, strict=True):
        place = _best(error, automated, target)
        at_errors.append(
            AtError(
                target=target,
                threshold=None if place is None else ranking.threshold(place),
                accepted=0 if place is None else int(counts[place]),
                error=None if place is None else float(error[place]),
                automated=0.0 if place is None else float(automated[place]),
                automated_interval=percentiles(drawn_shares),
            )
        )
    return Automation(at_errors=tuple(at_errors), decided=decided(documents, accepted, resamples))


def risk_curve(documents: Sequence[Document], resamples: int = RESAMPLES) -> Curve:
    """Return the risk-coverage curve of documents, at least one, with its band; empty without candidates."""
    ranking = _ranking(documents)
    _, error, automated = ranking.curve(np.ones(len(documents), dtype=np.int64))
    if not len(error):
        return Curve(automated=(), error=(), grid=(), low=(), high=())
    grid = np.linspace(0, automated.max(), _GRID + 1)[1:]
    errors = []
    for times in draws(len(documents), resamples):
        _, drawn_error, drawn = ranking.curve(times)
        errors.append(np.interp(grid, drawn, drawn_error))
    band = [percentiles(column) or (0.0, 0.0) for column in np.array(errors).T]
    # Even steps of what is automated: most candidates lie in the long tail, where the curve says nothing.
    shown = np.unique(np.searchsorted(automated, np.linspace(0, automated.max(), _POINTS)))
    return Curve(
        automated=tuple(automated[shown]),
        error=tuple(error[shown]),
        grid=tuple(grid),
        low=tuple(low for low, _ in band),
        high=tuple(high for _, high in band),
    )


def _ranking(documents: Sequence[Document]) -> _Ranking:
    return _Ranking(pairs_of(documents, None), np.array([len(one.gold) for one in documents], dtype=np.int64))


def decided(
    documents: Sequence[Document], accepted: Sequence[Sequence[bool]], resamples: int = RESAMPLES
) -> Decided:
    """Return what decisions let through, with intervals over documents; arguments as of ``automation``."""
    counts = np.array(
        [
            (sum(taken), float(one.relevant @ np.array(taken, dtype=np.float64)), len(one.gold))
            for one, taken in zip(documents, accepted, strict=True)
        ]
    ).reshape(len(documents), 3)
    drawn = np.array([_shares(times @ counts) for times in draws(len(documents), resamples)])
    error, automated = _shares(counts.sum(axis=0))
    total = int(counts[:, 0].sum())
    return Decided(
        accepted=total,
        wrong=total - int(counts[:, 1].sum()),
        error=None if np.isnan(error) else error,
        error_interval=percentiles(drawn[:, 0]),
        automated=automated,
        automated_interval=percentiles(drawn[:, 1]),
    )


def _shares(sums: Floats) -> tuple[float, float]:
    """Return error and automated of summed counts: accepted, right among them, gold."""
    accepted, right, gold = (float(one) for one in sums)
    return (accepted - right) / accepted if accepted else np.nan, right / gold if gold else 0.0
