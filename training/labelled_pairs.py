"""The candidates of labelled documents as numbers, which a calibrator is fitted on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llm4tag.calibration.columns import CALIBRATOR_COLUMNS
from llm4tag.calibration.log_odds import Floats
from llm4tag.calibration.signals import calibrator_rows
from llm4tag.schema import TagResult


@dataclass(frozen=True)
class LabelledPairs:
    """The n candidates of labelled documents as numbers."""

    rows: Floats
    """Signals and evidence of each candidate, shape (n, len(NUMBERS))."""
    right: NDArray[np.bool_]
    """Whether the candidate is a gold tag, shape (n,)."""
    document: NDArray[np.int64]
    """Index of the candidate's document, shape (n,)."""
    tags: NDArray[np.str_]
    """Id of the tag, shape (n,)."""

    @classmethod
    def of(cls, results: Sequence[TagResult], gold: Mapping[str, frozenset[str]]) -> "LabelledPairs":
        """Turn results into pairs.

        Args:
            results: results of the documents, which no calibrator has changed.
            gold: the gold tags of each document, by content id.

        Raises:
            ValueError: a result has no signals.
        """
        return cls(
            rows=np.concatenate(
                [
                    np.zeros((0, len(CALIBRATOR_COLUMNS))),
                    *(calibrator_rows(one.tags) for one in results if one.tags),
                ]
            ),
            right=np.array([tag.id in gold[one.id] for one in results for tag in one.tags], dtype=bool),
            document=np.repeat(np.arange(len(results)), [len(one.tags) for one in results]),
            tags=np.array([tag.id for one in results for tag in one.tags], dtype=np.str_),
        )

    def at(self, rows: NDArray[np.int64]) -> "LabelledPairs":
        """Return the pairs in these rows."""
        return LabelledPairs(self.rows[rows], self.right[rows], self.document[rows], self.tags[rows])

    def varying(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the names of those columns that are not constant."""
        return tuple(name for name in names if np.ptp(self.rows[:, CALIBRATOR_COLUMNS.index(name)]) > 1e-9)
