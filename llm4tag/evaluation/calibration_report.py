"""What a calibrator is worth: held-out figures beside simpler ones, and what it can guarantee."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from llm4tag.calibration.guarantee import Threshold
from llm4tag.calibration.log_odds import Floats
from llm4tag.calibration.passport import Figure
from llm4tag.evaluation.bootstrap import intervals
from llm4tag.evaluation.metrics import PAIR_DEPTH, Document, measure, pairs_of
from llm4tag.schema import TagResult

TARGETS = (0.02, 0.05, 0.1, 0.2)
COVERED = (
    "Covered: new contents of the same kind, as if drawn together with the labelled ones, tagged under the same "
    "conditions, judged by labels given as completely as these."
)
NOT_COVERED = (
    "Not covered: other kinds of content, a drift of contents or vocabulary, any single content or tag, and right "
    "tags that the labels lack (they count as wrong here)."
)


@dataclass(frozen=True)
class Circumstances:
    """What the results to fit on were made under."""

    conditions: Mapping[str, str | None]
    """See ``Passport.conditions``."""
    tagged_contents: int
    depth: int
    """The most candidates of a result."""
    settings: Mapping[str, str | None]
    """All that they depend on."""
    sample: Mapping[str, int] | None = None
    """``limit`` and ``seed``, when a sample was taken."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Measured(_Model):
    """Figures of one way to give confidences."""

    name: str
    held_out: bool
    """Whether the confidences were fitted, each document's without it; else they are as they come."""
    metrics: dict[str, Figure]


class Guarantee(_Model):
    """What a target comes to."""

    target: float
    threshold: float | None
    """Accept from this confidence; None: the documents do not support the target."""
    accepted: int = 0
    """Of the labelled documents' tags, by held-out confidences."""
    wrong: int = 0
    automated: float = 0.0
    """Share of all right tags, those never recalled included, that would be accepted."""


class CalibrationReport(_Model):
    """A calibrator, measured on documents that had no part in the fit."""

    calibrator: str
    """Its id: the time of the fit."""
    documents: int
    pairs: int
    """Candidates that it was fitted on; metrics are over the first 40 of each result."""
    right: int
    method: str
    signals: tuple[str, ...]
    level: float
    """How sure the guarantees are."""
    measured: tuple[Measured, ...]
    """The calibrated confidence first, a constant last."""
    guarantees: tuple[Guarantee, ...]
    smallest_target: float | None
    """The smallest that the documents support, in steps of .005; None: none up to .5."""
    covered: str = COVERED
    not_covered: str = NOT_COVERED
    left_out: int = 0
    """Documents with a degraded result: they had no part."""
    losses: dict[str, float]
    """Held-out log loss, over all pairs, of each choice that was tried."""
    settings: dict[str, str | None]
    """All that the results depend on."""
    sample: dict[str, int] | None = None


def figures(
    results: Sequence[TagResult], gold: Mapping[str, frozenset[str]], confidences: Floats, ties: Floats
) -> dict[str, Figure]:
    """Return all metrics of some confidences, with 95 % bootstrap intervals over documents.

    Ranking metrics are of the order of the confidences; metrics of confidence are over the first 40 candidates of
    each result, whatever their order now: only over the same pairs can losses be compared.

    Args:
        results: of n candidates in all.
        gold: right tags, by content id.
        confidences: shape (n,), in the order of the results' tags.
        ties: decide between equal confidences, the greater first; shape (n,).
    """
    documents, heads, start = [], [], 0
    for result in results:
        own = slice(start, start := start + len(result.tags))
        order = np.lexsort((-ties[own], -confidences[own]))
        documents.append(_document(result, gold[result.id], confidences[own], order))
        heads.append(_document(result, gold[result.id], confidences[own], order[order < PAIR_DEPTH]))
    pairs = pairs_of(heads)
    found, spans = measure(documents, pairs), intervals(documents, pairs=pairs)
    return {
        name: Figure(value=value, low=None if (span := spans[name]) is None else span[0], high=span and span[1])
        for name, value in found.items()
    }


def _document(result: TagResult, gold: frozenset[str], confidences: Floats, places: NDArray[np.int64]) -> Document:
    return Document(
        ranked=tuple(result.tags[place].id for place in places),
        confidences=tuple(float(confidences[place]) for place in places),
        gold=gold,
    )


def guarantee(target: float, threshold: Threshold | None, gold: int) -> Guarantee:
    """Return what a target comes to, ``gold`` being the number of all right tags."""
    if threshold is None:
        return Guarantee(target=target, threshold=None)
    return Guarantee(
        target=target,
        threshold=threshold.confidence,
        accepted=threshold.accepted,
        wrong=threshold.wrong,
        automated=(threshold.accepted - threshold.wrong) / gold,
    )
