"""How often people gave two tags to one content, by which likely tags speak for others."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from llm4tag.tools.terms import Floats32

_SPEAKERS = 10
_SHRINKAGE = 2.0
"""Contents that are added to a tag's count, so that a rare one's company is not taken for certain."""


@dataclass(frozen=True)
class Cooccurrence:
    """How often people gave two of t tags to one content."""

    together: csr_array
    """Contents with both, zero on the diagonal; shape (t, t)."""
    counts: Floats32
    """Contents with each, shape (t,)."""

    @classmethod
    def of(cls, labels: csr_array) -> Self:
        """Count over labels, 1 where a content has a tag, shape (n, t)."""
        together = csr_array(labels.T @ labels)
        together.setdiag(0)
        together.eliminate_zeros()
        return cls(together, np.asarray(labels.sum(axis=0), dtype=np.float32).ravel())

    def company(self, scores: Floats32, without: csr_array | None = None) -> tuple[Floats32, Floats32]:
        """Let the tags of the highest scores speak for those that go with them.

        Args:
            scores: of all tags, shape (t,).
            without: labels of contents that are not to count, shape (contents, t).

        Returns:
            For each tag the sum of score · P(tag | other) over the others, and its largest part; both shape (t,).
        """
        best = np.argsort(-scores, kind="stable")[:_SPEAKERS]
        together, counts = self.together[best].toarray(), self.counts[best]
        if without is not None and without.shape[0]:
            left_out = without.toarray()
            shared = left_out[:, best].T @ left_out
            shared[np.arange(len(best)), best] = 0
            together, counts = together - shared, counts - left_out[:, best].sum(axis=0)
        weights = np.clip(scores[best], 0, 1) / (counts + _SHRINKAGE)
        parts = weights[:, None] * together
        return parts.sum(axis=0, dtype=np.float32), parts.max(axis=0, initial=0.0).astype(np.float32)
