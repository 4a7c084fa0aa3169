"""How much can be accepted without review: the risk-coverage curve, the best thresholds, and what was accepted.

*Error* is the share of wrong tags among all accepted ones, pooled over documents. *Automated* is the share of all
gold tags, those that recall missed included, that are among the accepted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from llm4tag.calibration.log_odds import Floats
from llm4tag.evaluation.bootstrap import RESAMPLES, Interval, draws, percentiles
from llm4tag.evaluation.metrics import ConfidencePairs, RankedTags, pairs_of

TARGETS = (0.02, 0.05, 0.10)
"""The errors for which the best threshold is reported."""
_GRID = 50
"""The number of places at which the band around the curve is computed."""
_POINTS = 400
"""The number of points of the curve, at most."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BestThreshold(_Part):
    """The threshold on confidence that automates most within an error, chosen with the gold tags at hand.

    As it is chosen in hindsight, no threshold does better on these documents; it promises nothing for others.
    """

    target: float
    threshold: float | None
    """Tags from this confidence on would be accepted; None: every threshold exceeds the error."""
    accepted: int
    error: float | None
    automated: float
    automated_interval: Interval | None
    """95 % over resampled documents, the threshold chosen again in each."""


class Acceptance(_Part):
    """The tags with the decision ``accept``, and how many of them are wrong."""

    accepted: int
    wrong: int
    error: float | None
    """None if nothing was accepted."""
    error_interval: Interval | None
    automated: float
    automated_interval: Interval | None


class RiskCurve(_Part):
    """Error among the accepted tags against the share of gold tags automated, from the most confident tag down."""

    automated: tuple[float, ...]
    error: tuple[float, ...]
    grid: tuple[float, ...]
    """Shares at which ``low`` and ``high`` are given."""
    low: tuple[float, ...]
    high: tuple[float, ...]
    """The upper end of the 95 % bootstrap band of the error, as ``low`` is its lower end."""


class Automation(_Part):
    """How much could be accepted without review, and what was accepted."""

    at_errors: tuple[BestThreshold, ...]
    decided: Acceptance


@dataclass(frozen=True)
class _Ranking:
    """All candidates of some documents, ranked by confidence, with the documents' numbers of gold tags."""

    pairs: ConfidencePairs
    gold: NDArray[np.int64]
    """The number of gold tags of each document, shape (documents,)."""

    @cached_property
    def _falling(self) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
        """Return ``correct`` and ``document``, most confident first, and where each group of equal ones ends."""
        confidence = self.pairs.confidence[::-1]
        ends = np.flatnonzero(np.diff(confidence, append=-np.inf))
        return self.pairs.correct[::-1], self.pairs.document[::-1], ends

    def curve(self, times: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
        """Return accepted, error and automated at each threshold; equal confidences are accepted together.

        Args:
            times: how often each document counts, shape (documents,).
        """
        correct, document, ends = self._falling
        weights = times[document].astype(np.float64)
        accepted = np.cumsum(weights)[ends]
        right = np.cumsum(weights * correct)[ends]
        error = np.divide(accepted - right, accepted, out=np.zeros_like(accepted), where=accepted > 0)
        return accepted, error, right / max(1, int(times @ self.gold))

    def threshold(self, place: int) -> float:
        """Return the confidence at a place of the curve, counted from 0."""
        return float(self.pairs.confidence[::-1][self._falling[2][place]])


def _best(error: Floats, automated: Floats, target: float) -> int | None:
    """Return the place that automates most among those within the error."""
    within = np.flatnonzero(error <= target)
    return int(within[np.argmax(automated[within])]) if len(within) else None


def automation(
    documents: Sequence[RankedTags], accepted: Sequence[Sequence[bool]], resamples: int = RESAMPLES
) -> Automation:
    """Return how many of the gold tags can be accepted without review, and at what error.

    Args:
        documents: the ranked tags of each document; at least one.
        accepted: for each document, whether each of its ranked tags was accepted.
        resamples: how often the documents are drawn for the intervals.
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
            BestThreshold(
                target=target,
                threshold=None if place is None else ranking.threshold(place),
                accepted=0 if place is None else int(counts[place]),
                error=None if place is None else float(error[place]),
                automated=0.0 if place is None else float(automated[place]),
                automated_interval=percentiles(drawn_shares),
            )
        )
    return Automation(at_errors=tuple(at_errors), decided=acceptance(documents, accepted, resamples))


def risk_curve(documents: Sequence[RankedTags], resamples: int = RESAMPLES) -> RiskCurve:
    """Return the risk-coverage curve of at least one document, with its band; it is empty without candidates."""
    ranking = _ranking(documents)
    _, error, automated = ranking.curve(np.ones(len(documents), dtype=np.int64))
    if not len(error):
        return RiskCurve(automated=(), error=(), grid=(), low=(), high=())
    grid = np.linspace(0, automated.max(), _GRID + 1)[1:]
    errors = []
    for times in draws(len(documents), resamples):
        _, drawn_error, drawn = ranking.curve(times)
        errors.append(np.interp(grid, drawn, drawn_error))
    band = [percentiles(column) or (0.0, 0.0) for column in np.array(errors).T]
    # Even steps of the automated share: most candidates lie in the long tail, where the curve says nothing.
    shown = np.unique(np.searchsorted(automated, np.linspace(0, automated.max(), _POINTS)))
    return RiskCurve(
        automated=tuple(automated[shown]),
        error=tuple(error[shown]),
        grid=tuple(grid),
        low=tuple(low for low, _ in band),
        high=tuple(high for _, high in band),
    )


def _ranking(documents: Sequence[RankedTags]) -> _Ranking:
    return _Ranking(pairs_of(documents, None), np.array([len(one.gold) for one in documents], dtype=np.int64))


def acceptance(
    documents: Sequence[RankedTags], accepted: Sequence[Sequence[bool]], resamples: int = RESAMPLES
) -> Acceptance:
    """Return what decisions accepted, with intervals over documents; the arguments are those of ``automation``."""
    counts = np.array(
        [
            (sum(taken), float(one.relevant @ np.array(taken, dtype=np.float64)), len(one.gold))
            for one, taken in zip(documents, accepted, strict=True)
        ]
    ).reshape(len(documents), 3)
    drawn = np.array([_shares(times @ counts) for times in draws(len(documents), resamples)])
    error, automated = _shares(counts.sum(axis=0))
    total = int(counts[:, 0].sum())
    return Acceptance(
        accepted=total,
        wrong=total - int(counts[:, 1].sum()),
        error=None if np.isnan(error) else error,
        error_interval=percentiles(drawn[:, 0]),
        automated=automated,
        automated_interval=percentiles(drawn[:, 1]),
    )


def _shares(sums: Floats) -> tuple[float, float]:
    """Return error and automated for sums of three counts: accepted tags, right ones among them, gold tags."""
    accepted, right, gold = (float(one) for one in sums)
    return (accepted - right) / accepted if accepted else np.nan, right / gold if gold else 0.0
