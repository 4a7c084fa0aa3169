"""Signals of a content's candidates: gathered from recall and the LLM, and as numbers for the calibrator."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from llm4tag.calibration.columns import CALIBRATOR_COLUMNS, EVIDENCE_COLUMNS, FUSION_COLUMNS, SIGNALS
from llm4tag.calibration.evidence_rows import evidence_rows
from llm4tag.calibration.history_facts import HistoryFacts
from llm4tag.calibration.log_odds import CLIP, Floats, log_odds
from llm4tag.schema import Candidate, Evidence, Signals
from llm4tag.schema.llm_answers import Judgement

RATING_CLIP = 0.01
"""A model that says 0 or 100 percent means "nearly": beyond this, log odds of ratings say nothing."""
_EVIDENCE_PLACES = [FUSION_COLUMNS.index(name) for name in EVIDENCE_COLUMNS]
_NO_HISTORY = HistoryFacts()


class CandidateWithSignals(Protocol):
    """A candidate with its signals and evidence, in the graph or in a result."""

    @property
    def signals(self) -> Signals:
        """The raw signals."""

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The evidence of recall's paths."""


def recall_of(candidates: Iterable[Candidate]) -> dict[str, float]:
    """Return the probability by recall of each candidate, by tag id."""
    return {candidate.tag: candidate.recall or 0.0 for candidate in candidates}


def gather(
    recall: Mapping[str, float],
    agreement: Mapping[str, tuple[float, int]],
    judgements: Mapping[str, Judgement],
    ratings: Mapping[str, float | None] | None = None,
) -> dict[str, Signals]:
    """Return the signals of each candidate of a content, by tag id.

    Args:
        recall: the probability by recall alone; its keys are the candidates.
        agreement: the share of samples that named the tag, and how many samples could.
        judgements: yes or no, one candidate at a time.
        ratings: probabilities in words, all candidates at once; None: no usable one.
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
            rating=(ratings or {}).get(tag),
        )
    return found


def signal_rows(signals: Sequence[Signals]) -> Floats:
    """Return the signals of one content's candidates in log odds, shape (candidates, len(SIGNALS)); NaN: missing.

    Probabilities are clipped, because log odds end at 0 and 1. A share of samples is taken as (named + ½) /
    (samples + 1): three of three says less than ten of ten.
    """
    rows = [[_log_odds(one, name) for name in SIGNALS] for one in signals]
    return np.array(rows, dtype=np.float64).reshape(len(signals), len(SIGNALS))


def centred(rows: Floats) -> Floats:
    """Return the rows of one content less the mean of each column over the numbers that are not missing.

    A model that says yes to all candidates of a content says nothing about any.
    """
    there = ~np.isnan(rows)
    means = np.where(there, rows, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    return np.asarray(rows - means)


def calibrator_rows(candidates: Sequence[CandidateWithSignals]) -> Floats:
    """Return the numbers of one content's candidates, shape (candidates, len(CALIBRATOR_COLUMNS)).

    Raises:
        ValueError: a candidate has no probability by recall.
    """
    rows = signal_rows([one.signals for one in candidates])
    if np.isnan(rows[:, 0]).any():
        raise ValueError("a candidate has no signal of recall: the result was not made by this version of llm4tag")
    around = centred(rows)
    better = (rows[:, 0, None] < rows[None, :, 0]).sum(axis=1)
    columns = [rows[:, 0], around[:, 0], np.log1p(better)]
    for number in range(1, len(SIGNALS)):
        there = ~np.isnan(rows[:, number])
        columns += [np.nan_to_num(rows[:, number]), np.nan_to_num(around[:, number]), there.astype(np.float64)]
    bare = [Candidate(tag="", score=0.0, evidence=one.evidence) for one in candidates]
    evidence = evidence_rows(bare, _NO_HISTORY, 0)[:, _EVIDENCE_PLACES]
    found = np.column_stack([*columns, evidence])
    assert found.shape[1] == len(CALIBRATOR_COLUMNS)
    return found


def _log_odds(signals: Signals, name: str) -> float:
    value: float | None = getattr(signals, name)
    if value is None:
        return math.nan
    if name == "agreement":
        return log_odds((value * signals.samples + 0.5) / (signals.samples + 1))
    return log_odds(value, RATING_CLIP if name == "rating" else CLIP)
