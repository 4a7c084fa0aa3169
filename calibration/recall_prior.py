"""The prior of recall: how evidence is weighed at each size of history, as other vocabularies taught it.

It was fitted by ``scripts/recall-prior`` on several vocabularies at several sizes of history, and is shipped as
``recall_prior.json``, with its sources. A store's own history moves it (``evidence_fusion``).
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from llm4tag.calibration.columns import FUSION_COLUMNS
from llm4tag.calibration.log_odds import Floats

FORMAT = 1
GROUPS = 3
"""Groups of candidates that are weighed apart, see ``HistoryFacts.groups``."""
_FILE = "recall_prior.json"
_BLOCK = 20_000
"""Rows that are standardised at once, which bounds the memory."""
FARTHEST = 3.0
"""A number is taken for at most this many standard deviations from the mean, so that none decides alone."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PriorSource(_Frozen):
    """A set that the prior was fitted on."""

    name: str
    licence: str
    tags: int
    contents: int
    """The number of contents whose candidates it was fitted on, repeated ones included."""
    sizes: tuple[int, ...]
    """The sizes of history at which they were recalled."""


class GroupPrior(_Frozen):
    """The weights of one group of candidates."""

    means: tuple[float, ...]
    """The mean of each column."""
    scales: tuple[float, ...]
    """The standard deviation of each column; 1 where it is constant."""
    weights: tuple[tuple[float, ...], ...]
    """For each size of history a weight for each standardised column, then the intercept."""


class PriorFile(_Frozen):
    """The file ``recall_prior.json``."""

    format: int = FORMAT
    columns: tuple[str, ...] = FUSION_COLUMNS
    sources: tuple[PriorSource, ...]
    seed: int
    versions: dict[str, str]
    """Versions of the libraries that fitted it, by name."""
    sizes: tuple[int, ...]
    """Rising numbers of tagged contents."""
    with_vectors: tuple[GroupPrior, ...]
    with_words: tuple[GroupPrior, ...]
    """For stores without embeddings."""


@dataclass(frozen=True)
class RecallPrior:
    """The weights for stores with embeddings, or for those without."""

    id: str
    """Content hash of the file, and which of its two parts this is."""
    sizes: Floats
    means: Floats
    """Shape (groups, columns)."""
    scales: Floats
    """Shape (groups, columns)."""
    weights: Floats
    """Shape (groups, sizes, columns + 1)."""

    @classmethod
    def of(cls, file: PriorFile, id_: str, *, vectors: bool) -> Self:
        """Return one part of a file.

        Raises:
            ValueError: the file is of another version of llm4tag.
        """
        if (file.format, file.columns) != (FORMAT, FUSION_COLUMNS):
            raise ValueError("the prior of recall was made by another version of llm4tag")
        groups = file.with_vectors if vectors else file.with_words
        return cls(
            id=f"{id_}-{'vectors' if vectors else 'words'}",
            sizes=np.array(file.sizes, dtype=np.float64),
            means=np.array([group.means for group in groups]),
            scales=np.array([group.scales for group in groups]),
            weights=np.array([group.weights for group in groups]),
        )

    def weights_at(self, contents: int) -> Floats:
        """Return the weights for a number of tagged contents, shape (groups, columns + 1).

        Between two sizes they are interpolated in ln(1 + contents), so that no content makes a step.
        """
        at, knots = np.log1p(contents), np.log1p(self.sizes)
        upper = int(np.clip(np.searchsorted(knots, at), 1, len(knots) - 1))
        share = float(np.clip((at - knots[upper - 1]) / (knots[upper] - knots[upper - 1]), 0.0, 1.0))
        mixed: Floats = (1 - share) * self.weights[:, upper - 1] + share * self.weights[:, upper]
        return mixed

    def standardised(self, rows: Floats, group: int) -> Floats:
        """Return rows of one group in standard deviations, and a last column of ones; (rows, columns + 1)."""
        found = np.clip((rows - self.means[group]) / self.scales[group], -FARTHEST, FARTHEST)
        return np.column_stack([found, np.ones(len(rows))])

    def logits(self, rows: Floats, groups: NDArray[np.int64], offsets: Floats, weights: Floats) -> Floats:
        """Return the log odds of each row, shape (rows,).

        Args:
            rows: of ``evidence_rows``.
            groups: of each row, see ``HistoryFacts.groups``.
            offsets: of each row, see ``HistoryFacts.offsets``.
            weights: shape (groups, columns + 1).
        """
        found = np.array(offsets, dtype=np.float64)
        for group in range(GROUPS):
            own = np.flatnonzero(groups == group)
            for start in range(0, len(own), _BLOCK):
                some = own[start : start + _BLOCK]
                found[some] += self.standardised(rows[some], group) @ weights[group]
        return found


@cache
def shipped_prior(*, vectors: bool) -> RecallPrior:
    """Return the prior that is shipped, for stores with embeddings or without.

    Raises:
        ValueError: the file is of another version of llm4tag.
    """
    data = resources.files("llm4tag.calibration").joinpath(_FILE).read_bytes()
    file = PriorFile.model_validate_json(data)
    return RecallPrior.of(file, hashlib.sha256(data).hexdigest()[:16], vectors=vectors)
