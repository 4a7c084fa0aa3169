"""Signals of a content's candidates: put together, and as numbers in one form for every fit."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from llm4tag.calibration.judgement import Judgement
from llm4tag.calibration.log_odds import CLIP, Floats, log_odds
from llm4tag.schema import Signals

COLUMNS = ("recall", "agreement", "p_yes", "rating")
"""The columns of ``signal_rows``, in order."""
RATING_CLIP = 0.01
"""Who says 0 or 100 percent means as good as: beyond this, log odds of probabilities in words say nothing."""


def gather(
    recall: Mapping[str, float],
    agreement: Mapping[str, tuple[float, int]],
    judgements: Mapping[str, Judgement],
    rating: Mapping[str, float | None] | None = None,
) -> dict[str, Signals]:
    """Return the signals of each candidate of a content, by tag id.

    Args:
        recall: confidence from recall alone; its keys are the candidates.
        agreement: share of samples that named the tag, and how many were asked.
        judgements: yes or no, one candidate at a time.
        rating: probabilities in words, all candidates at once; None: no usable one.
    """
    found = {}
    for tag, probability in recall.items():
        share, samples = agreement.get(tag, (None, 0))
        judgement = judgements.get(tag)
        found[tag] = Signals(
            recall=probability,
            agreement=share,
            samples=samples,
            p_yes=judgement.p_yes if judgement else None,
            yes_no_mass=judgement.mass if judgement else None,
            rating=(rating or {}).get(tag),
        )
    return found


def signal_rows(signals: Sequence[Signals]) -> Floats:
    """Return the signals of one content's candidates in logits, shape (candidates, len(COLUMNS)); NaN: missing.

    Probabilities are clipped, as logits end at 0 and 1. A share of samples is taken as (named + ½) / (asked + 1):
    three of three says less than ten of ten.
    """
    rows = [[_log_odds(one, name) for name in COLUMNS] for one in signals]
    return np.array(rows, dtype=np.float64).reshape(len(signals), len(COLUMNS))


def centred(rows: Floats) -> Floats:
    """Return the rows of one content less the mean of each column over those that are there.

    A model that says yes to all candidates of a content says nothing of any; missing ones stay missing.
    """
    there = ~np.isnan(rows)
    means = np.where(there, rows, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    return np.asarray(rows - means)


def _log_odds(signals: Signals, name: str) -> float:
    value: float | None = getattr(signals, name)
    if value is None:
        return math.nan
    if name == "agreement":
        return log_odds((value * signals.samples + 0.5) / (signals.samples + 1))
    return log_odds(value, RATING_CLIP if name == "rating" else CLIP)
