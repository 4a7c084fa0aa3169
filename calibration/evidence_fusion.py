"""A fitted fusion: the probability that a candidate is right, given the evidence of all recall paths."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from llm4tag.calibration.archive import packed, reading, unpacked
from llm4tag.calibration.features import FEATURES, Backing, Floats, feature_rows
from llm4tag.calibration.fitted import Fitted
from llm4tag.calibration.log_odds import probabilities
from llm4tag.schema import Candidate, Path

FORMAT = 2


class FusionNote(BaseModel):
    """What a fusion is of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    fitted: Fitted
    features: tuple[str, ...] = FEATURES
    paths: frozenset[Path]
    """The paths whose evidence it was fitted on: it weighs none but these."""
    pairs: int
    """How many candidates of documents it was fitted on."""
    fewest_tags: int
    """Its documents have at least so many tags: the poorer ones say too little of what is wrong."""
    tags_a_document: float
    """How many they have on average; probabilities are right for contents that are to be tagged as richly."""


@dataclass(frozen=True)
class Weights:
    """Two logistic regressions: the linear scorer says nothing of a new tag, so the other evidence weighs more."""

    known: Floats
    """For tags that the linear scorer knows: a weight a feature, then the intercept; shape (features + 1,)."""
    new: Floats
    """For the others, likewise."""

    def probabilities(self, rows: Floats, known: NDArray[np.bool_]) -> Floats:
        """Return the probability of each row of ``feature_rows``, shape (rows,)."""
        by_known = rows @ self.known[:-1] + self.known[-1]
        return probabilities(np.where(known, by_known, rows @ self.new[:-1] + self.new[-1]))


@dataclass(frozen=True)
class EvidenceFusion:
    """A fitted fusion with what it rests on."""

    note: FusionNote
    weights: Weights

    def probabilities(self, candidates: Sequence[Candidate], backing: Backing) -> list[float]:
        """Return the probability of each candidate of one content."""
        if not candidates:
            return []
        rows, known = feature_rows(candidates, backing), backing.knows(candidates)
        return [float(probability) for probability in self.weights.probabilities(rows, known)]

    def to_bytes(self) -> bytes:
        """Return it as bytes."""
        arrays = {"known": self.weights.known, "new": self.weights.new}
        return packed(self.note.model_dump(mode="json"), arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what ``to_bytes`` wrote.

        Raises:
            StoreError: the bytes are no fusion, or one of another format.
        """
        with reading("fusion of evidence", "llm4tag store fit"):
            head, arrays = unpacked(data)
            note = FusionNote.model_validate(head)
            if (note.format, note.features) != (FORMAT, FEATURES):
                raise ValueError("made by another version of llm4tag")
            return cls(note, Weights(arrays["known"], arrays["new"]))
