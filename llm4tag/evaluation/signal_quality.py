"""Each signal alone beside the confidence that combines them, and beside a constant.

A signal is measured twice: as it stands, taken for a probability, over the pairs that have it; and mapped, by a
logistic fit on it alone to documents other than those it is measured on, over all pairs. Only the latter can be
compared from signal to signal.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from llm4tag.calibration.columns import CALIBRATOR_COLUMNS, SIGNALS, columns_of_signal
from llm4tag.calibration.log_odds import log_odds, probabilities
from llm4tag.calibration.signals import calibrator_rows
from llm4tag.evaluation.bootstrap import Interval, pair_intervals
from llm4tag.evaluation.metrics import CONFIDENCE, PAIR_DEPTH, Document, Floats, Pairs
from llm4tag.schema import C2C2TEvidence, LinearEvidence, Path, TagDecision, TagResult
from llm4tag.training.calibrator_fit import STRENGTHS, document_folds, outer_folds
from llm4tag.training.fusion_fit import fit_logistic

CONSTANT = "constant"
COMBINED = "confidence"
_SEED = 1
"""Of the folds."""


class Measured(BaseModel):
    """Metrics of confidence with their intervals over documents."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metrics: dict[str, float | None]
    intervals: dict[str, Interval | None]


class SignalAlone(BaseModel):
    """What one signal is worth."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """A signal of ``llm4tag.calibration.signals``, a recall path's own score, ``confidence`` or ``constant``."""
    there: float
    """Share of the pairs that have it."""
    as_it_stands: Measured | None
    """Over the pairs that have it; None for what is no probability."""
    mapped: Measured | None
    """Over all pairs; None for fewer than two documents, as there nothing can be fitted. The confidence and the
    constant need no map."""


def signals_alone(
    results: Sequence[TagResult], documents: Sequence[Document], done: Callable[[int], None] | None = None
) -> tuple[SignalAlone, ...]:
    """Return the confidence, each signal that any pair has, and the constant.

    Args:
        results: at least one.
        documents: the same, ready to be measured.
        done: told of each that is measured.

    Raises:
        ValueError: a result without signals.
    """
    heads = [result.tags[:PAIR_DEPTH] for result in results]
    tags = [tag for head in heads for tag in head]
    if not tags:
        return ()
    correct = np.concatenate([one.relevant[:PAIR_DEPTH] for one in documents])
    document = np.repeat(np.arange(len(heads)), [len(head) for head in heads])
    table = _Table(correct, document, len(documents))
    # As the calibrator weighs them: beside each signal, how it compares within the content.
    numbers = np.concatenate([calibrator_rows(head) for head in heads if head])
    told = done or (lambda _: None)
    confidence = np.array([tag.confidence for tag in tags])
    found = [table.whole(COMBINED, confidence)]
    told(1)
    for name in SIGNALS:
        raw = np.array([_raw(tag, name) for tag in tags])
        if (there := ~np.isnan(raw)).any():
            columns = numbers[:, [CALIBRATOR_COLUMNS.index(column) for column in columns_of_signal(name)]]
            found.append(table.alone(name, there, columns, raw))
            told(1)
    for path in Path:
        scores = np.array([_score(tag, path) for tag in tags])
        if (there := ~np.isnan(scores)).any():
            found.append(table.alone(path.value, there, np.column_stack([np.nan_to_num(scores), there])))
            told(1)
    # The best that knows nothing of any: the share that is right, for all.
    found.append(table.whole(CONSTANT, np.full(len(tags), correct.mean())))
    told(1)
    return tuple(found)


def _raw(tag: TagDecision, name: str) -> float:
    value = getattr(tag.signals, name)
    return np.nan if value is None else float(value)


def _score(tag: TagDecision, path: Path) -> float:
    """Return in log odds what a path says of a tag: its raw share or score, if it has one, or the relative one."""
    for item in tag.evidence:
        if item.path is path:
            value = item.raw if isinstance(item, C2C2TEvidence | LinearEvidence) else item.score
            return log_odds(value)
    return np.nan


class _Table:
    """The pairs of all documents, in one order for all signals."""

    def __init__(self, correct: Floats, document: NDArray[np.int64], documents: int) -> None:
        self._correct, self._document, self._documents = correct, document, documents

    def whole(self, name: str, probabilities: Floats) -> SignalAlone:
        """Measure what needs no map and no pair lacks."""
        found = self._measured(probabilities)
        return SignalAlone(name=name, there=1.0, as_it_stands=found, mapped=found)

    def alone(
        self, name: str, there: NDArray[np.bool_], columns: Floats, raw: Floats | None = None
    ) -> SignalAlone:
        """Measure one signal.

        Args:
            name: of the signal.
            there: which pairs have it, shape (pairs,).
            columns: what to map, shape (pairs, any).
            raw: the signal, if it is a probability; NaN where it is missing.
        """
        return SignalAlone(
            name=name,
            there=float(there.mean()),
            as_it_stands=None if raw is None else self._measured(raw[there], there),
            mapped=self._mapped(columns) if len(np.unique(self._document)) > 1 else None,
        )

    def _measured(self, values: Floats, chosen: NDArray[np.bool_] | slice = slice(None)) -> Measured:
        order = np.argsort(values, kind="stable")
        pairs = Pairs(values[order], self._correct[chosen][order], self._document[chosen][order])
        return Measured(
            metrics={name: metric(pairs) for name, metric in CONFIDENCE.items()},
            intervals=pair_intervals(pairs, self._documents),
        )

    def _mapped(self, columns: Floats) -> Measured:
        """Measure probabilities that a logistic fit on the other folds' documents gives."""
        logits = np.zeros(len(columns))
        for train, test in document_folds(self._document, outer_folds(self._documents), _SEED):
            weights = fit_logistic(columns[train], self._correct[train] > 0, STRENGTHS[-1])
            logits[test] = columns[test] @ weights[:-1] + weights[-1]
        return self._measured(probabilities(logits))
