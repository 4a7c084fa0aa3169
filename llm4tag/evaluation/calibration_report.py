"""The report on a calibrator: held-out figures, compared with simpler confidences, and its guarantees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from llm4tag.calibration.guarantee import Threshold
from llm4tag.calibration.log_odds import Floats
from llm4tag.calibration.passport import Figure
from llm4tag.evaluation.bootstrap import intervals
from llm4tag.evaluation.metrics import PAIR_DEPTH, RankedTags, measure, pairs_of
from llm4tag.schema import TagResult

GUARANTEE_TARGETS = (0.02, 0.05, 0.1, 0.2)
COVERED = (
    "Covered: new contents of the same kind, as if drawn together with the labelled ones, tagged under the same "
    "conditions, judged by labels given as completely as these."
)
NOT_COVERED = (
    "Not covered: other kinds of content, a drift of contents or vocabulary, any single content or tag, and right "
    "tags that the labels lack (they count as wrong here)."
)


@dataclass(frozen=True)
class FitConditions:
    """The conditions under which the results to fit on were made."""

    conditions: Mapping[str, str | None]
    """See ``Passport.conditions``."""
    tagged_contents: int
    depth: int
    """The number of candidates of a result, at most."""
    settings: Mapping[str, str | None]
    """All settings that the results depend on."""
    sample: Mapping[str, int] | None = None
    """``limit`` and ``seed``, if a sample was taken."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MeasuredConfidence(_Model):
    """The figures of one kind of confidence."""

    name: str
    held_out: bool
    """Whether each document's confidences come from a fit on other documents; else nothing was fitted."""
    metrics: dict[str, Figure]


class Guarantee(_Model):
    """What a calibrator guarantees for one target."""

    target: float
    """The share of wrong tags among the accepted, at most."""
    threshold: float | None
    """Tags from this confidence on are accepted; None: the documents do not support the target."""
    accepted: int = 0
    """The number of tags of the labelled documents that the threshold accepts, by held-out confidences."""
    wrong: int = 0
    """The number of accepted tags that are not gold."""
    automated: float = 0.0
    """The share of all gold tags, those not recalled included, that would be accepted."""


class CalibrationReport(_Model):
    """The figures of a calibrator, measured on documents that had no part in the fit."""

    calibrator: str
    """The calibrator's id: the time of the fit."""
    documents: int
    pairs: int
    """Candidates that the calibrator was fitted on; metrics are over the first 40 of each result."""
    right: int
    method: str
    signals: tuple[str, ...]
    level: float
    """The confidence of the guarantees, from 0 to 1."""
    measured: tuple[MeasuredConfidence, ...]
    """Kinds of confidence, the calibrated one first, a constant last."""
    guarantees: tuple[Guarantee, ...]
    smallest_target: float | None
    """The smallest target that the documents support, in steps of .005; None: they support none up to .5."""
    covered: str = COVERED
    not_covered: str = NOT_COVERED
    left_out: int = 0
    """Documents that were left out because their result is degraded."""
    losses: dict[str, float]
    """The held-out log loss, over all pairs, of each method that was tried."""
    settings: dict[str, str | None]
    """All settings that the results depend on."""
    sample: dict[str, int] | None = None


def figures(
    results: Sequence[TagResult], gold: Mapping[str, frozenset[str]], confidences: Floats, ties: Floats
) -> dict[str, Figure]:
    """Return all metrics of some confidences, with 95 % bootstrap intervals over documents.

    Ranking metrics are computed in the order of the confidences. Metrics of confidence are over the first 40
    candidates of each result in its own order, as losses can be compared only over the same pairs.

    Args:
        results: the results to measure; they have n candidates altogether.
        gold: the gold tags, by content id.
        confidences: the confidences of all candidates, in the order of the results' tags, shape (n,).
        ties: numbers that order equal confidences, the greater first, shape (n,).
    """
    documents, heads, start = [], [], 0
    for result in results:
        own = slice(start, start := start + len(result.tags))
        order = np.lexsort((-ties[own], -confidences[own]))
        documents.append(_ranked(result, gold[result.id], confidences[own], order))
        heads.append(_ranked(result, gold[result.id], confidences[own], order[order < PAIR_DEPTH]))
    pairs = pairs_of(heads)
    found, spans = measure(documents, pairs), intervals(documents, pairs=pairs)
    return {
        name: Figure(value=value, low=None if (span := spans[name]) is None else span[0], high=span and span[1])
        for name, value in found.items()
    }


def _ranked(result: TagResult, gold: frozenset[str], confidences: Floats, places: NDArray[np.int64]) -> RankedTags:
    return RankedTags(
        ranked=tuple(result.tags[place].id for place in places),
        confidences=tuple(float(confidences[place]) for place in places),
        gold=gold,
    )


def guarantee(target: float, threshold: Threshold | None, gold: int) -> Guarantee:
    """Return what a threshold guarantees.

    Args:
        target: the share of wrong tags among the accepted, at most.
        threshold: the threshold for the target; None if the documents do not support it.
        gold: the number of all gold tags.
    """
    if threshold is None:
        return Guarantee(target=target, threshold=None)
    return Guarantee(
        target=target,
        threshold=threshold.confidence,
        accepted=threshold.accepted,
        wrong=threshold.wrong,
        automated=(threshold.accepted - threshold.wrong) / gold,
    )
