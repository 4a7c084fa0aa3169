"""A fitted fusion: the probability that a candidate is right, given the evidence of all recall paths."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from llm4tag.calibration.archive import packed, reading, unpacked
from llm4tag.calibration.columns import FUSION_COLUMNS
from llm4tag.calibration.evidence_rows import TagHistory, evidence_rows
from llm4tag.calibration.log_odds import Floats, probabilities
from llm4tag.calibration.passport import FitNote
from llm4tag.schema import Candidate, Path
from llm4tag.schema.errors import Step

FORMAT = 2


class FusionNote(BaseModel):
    """What a fusion was fitted on, and what it weighs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    fitted: FitNote
    features: tuple[str, ...] = FUSION_COLUMNS
    paths: frozenset[Path]
    """The paths whose evidence it was fitted on; it weighs these alone."""
    pairs: int
    """The number of pairs of a document and a candidate that it was fitted on."""
    fewest_tags: int
    """The least number of tags of its documents: those with fewer are often tagged incompletely."""
    tags_a_document: float
    """The average number of tags of its documents; probabilities are right for contents that are tagged as
    richly."""


@dataclass(frozen=True)
class FusionWeights:
    """Two logistic regressions: the linear scorer knows no unseen tag, so the other evidence weighs more there.

    Both have shape (columns + 1,): a weight for each column, then the intercept.
    """

    seen: Floats
    unseen: Floats

    def probabilities(self, rows: Floats, seen: NDArray[np.bool_]) -> Floats:
        """Return the probability of each row of ``evidence_rows``, shape (rows,)."""
        by_seen = rows @ self.seen[:-1] + self.seen[-1]
        return probabilities(np.where(seen, by_seen, rows @ self.unseen[:-1] + self.unseen[-1]))


@dataclass(frozen=True)
class EvidenceFusion:
    """A fitted fusion of evidence."""

    note: FusionNote
    weights: FusionWeights

    def probabilities(self, candidates: Sequence[Candidate], history: TagHistory) -> list[float]:
        """Return the probability of each candidate of one content."""
        if not candidates:
            return []
        rows, seen = evidence_rows(candidates, history), history.seen_rows(candidates)
        return [float(probability) for probability in self.weights.probabilities(rows, seen)]

    def to_bytes(self) -> bytes:
        """Return it as bytes."""
        arrays = {"known": self.weights.seen, "new": self.weights.unseen}
        return packed(self.note.model_dump(mode="json"), arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what ``to_bytes`` wrote.

        Raises:
            StoreError: the bytes are no fusion, or one of another format.
        """
        with reading("fusion of evidence", Step.FIT_RECALL):
            head, arrays = unpacked(data)
            note = FusionNote.model_validate(head)
            if (note.format, note.features) != (FORMAT, FUSION_COLUMNS):
                raise ValueError("made by another version of llm4tag")
            return cls(note, FusionWeights(arrays["known"], arrays["new"]))
