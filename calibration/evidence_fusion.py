"""The fusion of evidence: the probability that a candidate is right, given what all recall paths found.

There is one for every store. Without history it is the shipped prior; the store's own history moves its weights,
the more the more there is (a logistic regression whose penalty is centred on the prior).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from llm4tag.calibration.archive import array_of, packed, reading, unpacked
from llm4tag.calibration.columns import FUSION_COLUMNS
from llm4tag.calibration.evidence_rows import evidence_rows
from llm4tag.calibration.history_facts import HistoryFacts
from llm4tag.calibration.log_odds import Floats, probabilities
from llm4tag.calibration.passport import FitNote
from llm4tag.calibration.recall_prior import GROUPS, RecallPrior
from llm4tag.schema import Candidate, Path
from llm4tag.schema.errors import Step

FORMAT = 3


class FusionNote(BaseModel):
    """What moved the prior, and how far to trust it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    prior: str
    """Id of the prior that was moved."""
    fitted: FitNote
    features: tuple[str, ...] = FUSION_COLUMNS
    paths: frozenset[Path]
    """The paths whose evidence it was fitted on; where one of them is not followed, the prior is used as it is."""
    pairs: int
    """The number of pairs of a document and a candidate that it was fitted on."""
    fewest_tags: int
    """The least number of tags of its documents: those with fewer are often tagged incompletely."""
    tags_a_document: float
    """The average number of tags of its documents; probabilities are right for contents that are tagged as
    richly."""
    loss: float
    """Log loss a candidate on documents of history that had no part in the fit."""
    prior_loss: float
    """The same by the prior as it is; a fit is taken only where it is better."""


@dataclass(frozen=True)
class EvidenceFusion:
    """The prior, moved by a store's history or not."""

    prior: RecallPrior
    note: FusionNote | None = None
    """None: nothing moved it."""
    moved: Floats | None = None
    """What is added to the prior's weights, shape (groups, columns + 1)."""

    def weights(self, contents: int) -> Floats:
        """Return the weights for a number of tagged contents, shape (groups, columns + 1)."""
        found = self.prior.weights_at(contents)
        return found if self.moved is None else np.asarray(found + self.moved)

    def probabilities(self, candidates: Sequence[Candidate], facts: HistoryFacts, words: int) -> list[float]:
        """Return the probability of each candidate of one content.

        Args:
            candidates: of one content.
            facts: of the store.
            words: the number of words of the content.
        """
        if not candidates:
            return []
        rows = evidence_rows(candidates, facts, words)
        groups = facts.groups([candidate.tag for candidate in candidates])
        logits = self.prior.logits(rows, groups, facts.offsets(groups), self.weights(facts.contents))
        return [float(probability) for probability in probabilities(logits)]

    def to_bytes(self) -> bytes:
        """Return what moved the prior as bytes.

        Raises:
            ValueError: nothing did.
        """
        if self.note is None or self.moved is None:
            raise ValueError("the prior as it is, is not saved in a store")
        return packed(self.note.model_dump(mode="json"), {"moved": self.moved})

    @classmethod
    def from_bytes(cls, data: bytes, prior: RecallPrior) -> Self | None:
        """Read what ``to_bytes`` wrote; return None where it moved another prior than the one that is shipped now.

        Raises:
            StoreError: the bytes are no fusion, or one of another format.
        """
        with reading("fusion of evidence", Step.FIT_RECALL):
            head, arrays = unpacked(data)
            note = FusionNote.model_validate(head)
            if note.format != FORMAT:
                raise ValueError("made by another version of llm4tag")
            if (note.features, note.prior) != (FUSION_COLUMNS, prior.id):
                return None
            moved = array_of(arrays, "moved", (GROUPS, len(FUSION_COLUMNS) + 1))
            return cls(prior, note, moved.astype(np.float64))
