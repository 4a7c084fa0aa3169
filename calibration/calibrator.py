"""A fitted calibrator: from a candidate's signals to the probability that its tag is right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from llm4tag.calibration.archive import packed, reading, unpacked
from llm4tag.calibration.columns import CALIBRATOR_COLUMNS
from llm4tag.calibration.guarantee import Threshold, Trials, smallest_target, threshold_for
from llm4tag.calibration.log_odds import Floats
from llm4tag.calibration.passport import Passport
from llm4tag.schema.errors import Step

FORMAT = 2
MapKind = Literal["none", "temperature", "beta", "isotonic"]


@dataclass(frozen=True)
class Combination:
    """A logistic regression over some columns of ``signals.calibrator_rows``."""

    columns: tuple[str, ...]
    weights: Floats
    """A weight for each column, then the intercept; shape (columns + 1,)."""

    def logits(self, rows: Floats) -> Floats:
        """Return the log odds of each row of ``signals.calibrator_rows``, shape (rows,)."""
        chosen = rows[:, [CALIBRATOR_COLUMNS.index(name) for name in self.columns]]
        return np.asarray(np.clip(chosen @ self.weights[:-1] + self.weights[-1], -30.0, 30.0))


@dataclass(frozen=True)
class Map:
    """A map of the combination's log odds; it never reverses their order."""

    kind: MapKind
    values: Floats
    """Temperature: (1,). Beta: weights of ln p and -ln (1 - p), and the intercept. Isotonic: shape (2, knots), log
    odds above probabilities. None: (0,)."""

    def logits(self, logits: Floats) -> Floats:
        """Return the mapped log odds, of the same shape."""
        match self.kind:
            case "none":
                return logits
            case "temperature":
                return np.asarray(logits / self.values[0])
            case "beta":
                sure, unsure = -np.logaddexp(0.0, -logits), np.logaddexp(0.0, logits)
                return np.asarray(self.values[0] * sure + self.values[1] * unsure + self.values[2])
            case "isotonic":
                shares = np.interp(logits, self.values[0], self.values[1])
                return np.asarray(np.log(shares) - np.log1p(-shares))


@dataclass(frozen=True)
class Scale:
    """The whole way from columns to log odds: combination, map, offsets."""

    combination: Combination
    map: Map
    offsets: Mapping[str, float]
    """Offset of each tag by its own record, by tag id; with little record it is near 0."""

    def logits(self, rows: Floats, tags: Sequence[str]) -> Floats:
        """Return the log odds of each row, shape (rows,)."""
        moved = np.array([self.offsets.get(tag, 0.0) for tag in tags], dtype=np.float64)
        return np.asarray(self.map.logits(self.combination.logits(rows)) + moved)

    def order(self, rows: Floats, tags: Sequence[str]) -> list[int]:
        """Return the row numbers of one content, best first; the combination decides between equal ones."""
        names = np.array(tags, dtype=np.str_)
        return [int(row) for row in np.lexsort((names, -self.combination.logits(rows), -self.logits(rows, tags)))]


class _Head(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    numbers: tuple[str, ...]
    passport: Passport
    map: MapKind
    columns: tuple[str, ...]
    tags: tuple[str, ...]
    documents: int


@dataclass(frozen=True, eq=False)
class Calibrator:
    """A scale with its passport, and the trials that thresholds are taken from."""

    passport: Passport
    scale: Scale
    trials: Trials

    def threshold(self, target: float) -> Threshold | None:
        """Return the threshold that accepts tags of which at most a share of ``target`` is wrong, or None."""
        return _threshold(self, target)

    def smallest_target(self) -> Threshold | None:
        """Return the threshold of the smallest target that its documents support, or None."""
        return _smallest(self)

    def to_bytes(self) -> bytes:
        """Return it as bytes."""
        head = _Head(
            format=FORMAT,
            numbers=CALIBRATOR_COLUMNS,
            passport=self.passport,
            map=self.scale.map.kind,
            columns=self.scale.combination.columns,
            tags=tuple(self.scale.offsets),
            documents=self.trials.documents,
        )
        arrays = {
            "weights": self.scale.combination.weights,
            "values": self.scale.map.values,
            "offsets": np.array(list(self.scale.offsets.values()), dtype=np.float64),
            "confidence": self.trials.confidence,
            "right": self.trials.right,
            "document": self.trials.document,
        }
        return packed(head.model_dump(mode="json"), arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what ``to_bytes`` wrote.

        Raises:
            StoreError: the bytes are no calibrator, or one of another format.
        """
        with reading("calibrator", Step.CALIBRATE):
            found, arrays = unpacked(data)
            head = _Head.model_validate(found)
            if (head.format, head.numbers) != (FORMAT, CALIBRATOR_COLUMNS):
                raise ValueError("made by another version of llm4tag")
            offsets = dict(zip(head.tags, arrays["offsets"].tolist(), strict=True))
            scale = Scale(Combination(head.columns, arrays["weights"]), Map(head.map, arrays["values"]), offsets)
            trials = Trials(arrays["confidence"], arrays["right"], arrays["document"], head.documents)
            return cls(head.passport, scale, trials)


@lru_cache(maxsize=64)
def _threshold(calibrator: Calibrator, target: float) -> Threshold | None:
    return threshold_for(calibrator.trials, target, calibrator.passport.level)


@lru_cache(maxsize=16)
def _smallest(calibrator: Calibrator) -> Threshold | None:
    return smallest_target(calibrator.trials, calibrator.passport.level)
