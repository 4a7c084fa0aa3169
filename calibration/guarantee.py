"""Which confidence accepts tags with at most a given share of wrong ones among them, and how sure that is.

Learn then test (Angelopoulos et al., arXiv 2110.01052) with fixed-sequence testing. For a threshold the hypothesis
is that too much is wrong: the mean over documents of wrong - target x accepted is 0 or more. A document is one
draw, as its tags depend on each other. Thresholds are tested from a strict one to laxer ones, until one cannot be
rejected.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from llm4tag.calibration.log_odds import Floats

LEVEL = 0.9
"""The confidence of a guarantee, unless the user chooses another."""
FINEST = 0.005
"""Step in which the smallest target that is supported is looked for."""
_MOST_THRESHOLDS = 150
_LOWEST = 0.2
"""No threshold lies below: at most this share of the accepted tags would be right there."""


@dataclass(frozen=True)
class Trials:
    """Held-out confidences of labelled documents; all arrays of shape (pairs,)."""

    confidence: Floats
    right: NDArray[np.bool_]
    document: NDArray[np.int64]
    """Place of the document that the pair is of, from 0."""
    documents: int

    def of(self, chosen: NDArray[np.int64]) -> "Trials":
        """Return the trials of some documents, in that order; one that is named twice counts as two."""
        rows = [np.flatnonzero(self.document == number) for number in chosen]
        every = np.concatenate([np.zeros(0, dtype=np.int64), *rows])
        place = np.repeat(np.arange(len(rows)), [len(one) for one in rows])
        return Trials(self.confidence[every], self.right[every], place, len(rows))


class Threshold(BaseModel):
    """Where a target holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: float
    """Share of wrong tags among all accepted ones, at most."""
    confidence: float
    """Accept from here."""
    accepted: int
    """Tags of the labelled documents that would be accepted."""
    wrong: int
    """How many of these are wrong."""


@dataclass(frozen=True)
class _Accepted:
    """What thresholds would accept, a document; all of shape (thresholds, documents)."""

    thresholds: Floats
    count: Floats
    wrong: Floats
    expected: Floats
    """The sum of 1 - confidence: how many would be wrong if the confidences were true."""


def threshold_for(trials: Trials, target: float, level: float = LEVEL) -> Threshold | None:
    """Return the laxest threshold that the tests support, or None where they support none.

    The sequence starts where the confidences themselves promise the clearest rejection: what is right or wrong has
    no part in that choice, so one sequence needs no correction for trying several.

    Args:
        trials: confidences by models that had no part of the document.
        target: between 0 and 1.
        level: the chance, over draws of labelled documents, that the true share stays within the target.
    """
    return _search(_accepted(trials), target, level)


def smallest_target(trials: Trials, level: float = LEVEL) -> Threshold | None:
    """Return the threshold of the smallest supported target, in steps of ``FINEST`` up to ½, or None."""
    accepted = _accepted(trials)
    targets = (FINEST * step for step in range(1, round(0.5 / FINEST) + 1))
    return next((found for target in targets if (found := _search(accepted, round(target, 4), level))), None)


def p_value(count: Floats, wrong: Floats, target: float) -> float:
    """Return how likely so few wrong tags are if the true share is the target or more.

    The larger of two tests. Student's over documents sees how far a document's tags go wrong together; one made-up
    document with a single wrong tag is counted in, as errors that were not met yet would leave no variance. The
    binomial test over tags needs no large numbers. Bounds without any assumption (betting, Hoeffding-Bentkus)
    accept nothing at these sizes.

    Args:
        count: accepted tags of each document, shape (documents,).
        wrong: the number of wrong ones among them, shape (documents,).
        target: between 0 and 1.
    """
    from scipy import stats

    accepted, errors = float(count.sum()), float(wrong.sum())
    if accepted == 0:
        return 1.0
    excess = np.append(wrong - target * count, 1.0 - target)
    spread = float(excess.std(ddof=1))
    by_document = float(stats.t.cdf(math.sqrt(len(excess)) * excess.mean() / spread, len(excess) - 1))
    return max(by_document, float(stats.binom.cdf(errors, accepted, target)))


def _accepted(trials: Trials) -> _Accepted:
    """Collect what each of a number of thresholds accepts, strict ones first."""
    usable = np.unique(trials.confidence[trials.confidence >= _LOWEST])[::-1]
    if len(usable) > _MOST_THRESHOLDS:
        usable = usable[np.linspace(0, len(usable) - 1, _MOST_THRESHOLDS).astype(np.int64)]
    # Which document each pair is of, and at which threshold it comes in.
    inside = trials.confidence >= (usable[-1] if len(usable) else np.inf)
    confidence, document = trials.confidence[inside], trials.document[inside]
    step = len(usable) - np.searchsorted(usable[::-1], confidence, side="right")
    shape = (len(usable), trials.documents)

    def summed(values: Floats) -> Floats:
        table = np.zeros(shape)
        np.add.at(table, (step, document), values)
        return np.asarray(np.cumsum(table, axis=0))

    wrong = 1.0 - trials.right[inside].astype(np.float64)
    return _Accepted(usable, summed(np.ones(len(step))), summed(wrong), summed(1.0 - confidence))


def _search(accepted: _Accepted, target: float, level: float) -> Threshold | None:
    if not len(accepted.thresholds):
        return None
    found: int | None = None
    for number in range(_start(accepted, target), len(accepted.thresholds)):
        if p_value(accepted.count[number], accepted.wrong[number], target) > 1.0 - level:
            break
        found = number
    if found is None:
        return None
    return Threshold(
        target=target,
        confidence=float(accepted.thresholds[found]),
        accepted=int(accepted.count[found].sum()),
        wrong=int(accepted.wrong[found].sum()),
    )


def _start(accepted: _Accepted, target: float) -> int:
    """Return the threshold whose expected errors would be the least likely under the target."""
    from scipy import stats

    count, expected = accepted.count.sum(axis=1), accepted.expected.sum(axis=1)
    # The binomial distribution function for numbers that are no integers.
    promised = stats.beta.sf(target, expected + 1.0, np.maximum(count - expected, 1e-9))
    return int(np.argmin(promised))
