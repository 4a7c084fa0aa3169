"""All that a calibrator may weigh, as numbers: one row a candidate, from a result line alone.

What depends on a store is left out (how often a tag is given, whether the linear scorer knows it): recall's own
probability has it already.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from llm4tag.calibration.features import FEATURES, Backing, feature_rows
from llm4tag.calibration.log_odds import Floats
from llm4tag.calibration.signals import COLUMNS, centred, signal_rows
from llm4tag.schema import Candidate, Evidence, Signals

LLM_SIGNALS = COLUMNS[1:]
EVIDENCE = (
    "neighbours",
    "neighbours_nearest",
    "neighbours_words",
    "neighbours_vector",
    "ln_neighbours",
    "neighbours_rank",
    "name_bm25",
    "name_bm25_share",
    "description_bm25",
    "description_bm25_share",
    "name_cosine",
    "name_cosine_share",
    "verbatim",
    "verbatim_count",
)
"""Of ``llm4tag.calibration.features``: what similar contents and the tag's own words say."""
RECALL = ("recall", "recall centred", "recall place")
NUMBERS = (
    *RECALL,
    *(f"{name}{part}" for name in LLM_SIGNALS for part in ("", " centred", " asked")),
    *EVIDENCE,
)
"""The columns of ``number_rows``, in order."""
_PLACES = [FEATURES.index(name) for name in EVIDENCE]
_NO_BACKING = Backing(counts={}, classified=frozenset())


class Signalled(Protocol):
    """A candidate with its signals and evidence, in the graph or in a result."""

    @property
    def signals(self) -> Signals:
        """Raw."""

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Of recall's paths."""


def number_rows(candidates: Sequence[Signalled]) -> Floats:
    """Return the numbers of one content's candidates, shape (candidates, len(NUMBERS)).

    A signal is in logits, 0 where it is missing, with a column that says whether it is there; beside it the same
    less its mean within the content. Recall's place is ln(1 + place), the best having 0.

    Raises:
        ValueError: a candidate without recall's probability.
    """
    rows = signal_rows([one.signals for one in candidates])
    if np.isnan(rows[:, 0]).any():
        raise ValueError("a candidate has no signal of recall: the result was not made by this version of llm4tag")
    around = centred(rows)
    better = (rows[:, 0, None] < rows[None, :, 0]).sum(axis=1)
    columns = [rows[:, 0], around[:, 0], np.log1p(better)]
    for number in range(1, len(COLUMNS)):
        there = ~np.isnan(rows[:, number])
        columns += [np.nan_to_num(rows[:, number]), np.nan_to_num(around[:, number]), there.astype(np.float64)]
    bare = [Candidate(tag="", score=0.0, evidence=one.evidence) for one in candidates]
    evidence = feature_rows(bare, _NO_BACKING)[:, _PLACES]
    return np.column_stack([*columns, evidence])
