"""Pairs of a document and a candidate as numbers, which the fusion of evidence is fitted on."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from llm4tag.calibration.evidence_rows import evidence_rows
from llm4tag.calibration.history_facts import HistoryFacts
from llm4tag.calibration.log_odds import Floats
from llm4tag.schema import Candidate


@dataclass(frozen=True)
class EvidencePairs:
    """n pairs of a document and a candidate, which the fusion is fitted on."""

    rows: Floats
    """The evidence as numbers, shape (n, columns)."""
    groups: NDArray[np.int64]
    """See ``HistoryFacts.groups``, shape (n,)."""
    offsets: Floats
    """See ``HistoryFacts.offsets``, shape (n,)."""
    right: NDArray[np.bool_]
    """Whether people gave the tag, shape (n,)."""
    document: NDArray[np.int64]
    """The number of the document, shape (n,)."""
    withheld: NDArray[np.bool_]
    """Whether the tag was withheld from all but a few contents, shape (n,)."""

    @classmethod
    def of(
        cls,
        candidates: Sequence[Candidate],
        facts: HistoryFacts,
        words: int,
        gold: Set[str],
        document: int = 0,
        *,
        withheld: bool = False,
    ) -> Self:
        """Turn the candidates of one document into pairs."""
        tags = [candidate.tag for candidate in candidates]
        groups = facts.groups(tags)
        return cls(
            rows=evidence_rows(candidates, facts, words),
            groups=groups,
            offsets=facts.offsets(groups),
            right=np.array([tag in gold for tag in tags], dtype=bool),
            document=np.full(len(tags), document, dtype=np.int64),
            withheld=np.full(len(tags), withheld),
        )

    def at(self, chosen: NDArray[np.bool_]) -> Self:
        """Return the pairs for which ``chosen``, shape (n,), is true."""
        return type(self)(
            self.rows[chosen],
            self.groups[chosen],
            self.offsets[chosen],
            self.right[chosen],
            self.document[chosen],
            self.withheld[chosen],
        )

    def drawn(self, share: float, random: np.random.Generator) -> tuple[Self, Floats]:
        """Return the right pairs with a random share of the wrong, and how many pairs each counts for."""
        chosen = self.at(self.right | (random.random(len(self.right)) < share))
        return chosen, np.where(chosen.right, 1.0, 1.0 / share)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Concatenate pairs; there must be at least one part."""
        return cls(
            rows=np.concatenate([part.rows for part in parts]),
            groups=np.concatenate([part.groups for part in parts]),
            offsets=np.concatenate([part.offsets for part in parts]),
            right=np.concatenate([part.right for part in parts]),
            document=np.concatenate([part.document for part in parts]),
            withheld=np.concatenate([part.withheld for part in parts]),
        )
