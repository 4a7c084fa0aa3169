"""The quality of each signal by itself, compared with the confidence that combines them and with a constant.

A signal is measured twice: unmapped, taken for a probability, over the pairs that have it; and mapped to a
probability, by a logistic fit on that signal, over all pairs. The fit uses other documents than those that are
measured. Only mapped signals can be compared with each other.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from llm4tag.calibration.columns import CALIBRATOR_COLUMNS, SIGNALS, columns_of_signal
from llm4tag.calibration.log_odds import Floats, log_odds, probabilities
from llm4tag.calibration.signals import calibrator_rows
from llm4tag.evaluation.bootstrap import Interval, pair_intervals
from llm4tag.evaluation.metrics import CONFIDENCE, PAIR_DEPTH, ConfidencePairs, RankedTags
from llm4tag.schema import C2C2TEvidence, LinearEvidence, Path, TagDecision, TagResult
from llm4tag.training.calibrator_fit import STRENGTHS, document_folds, outer_folds
from llm4tag.training.fusion_fit import fit_logistic

CONSTANT = "constant"
COMBINED = "confidence"
_SEED = 1
"""Seed of the folds."""


class SignalMetrics(BaseModel):
    """Metrics of confidence with their intervals over documents."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metrics: dict[str, float | None]
    intervals: dict[str, Interval | None]


class SignalQuality(BaseModel):
    """The metrics of one signal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """A signal of ``llm4tag.calibration.signals``, a recall path's own score, ``confidence`` or ``constant``."""
    present: float
    """Share of the pairs that have the signal."""
    unmapped: SignalMetrics | None
    """Over the pairs that have the signal; None if the signal is not a probability."""
    mapped: SignalMetrics | None
    """Over all pairs; None for fewer than two documents, as nothing can be fitted on one. The confidence and the
    constant are probabilities already and are not mapped."""


def signal_qualities(
    results: Sequence[TagResult], documents: Sequence[RankedTags], done: Callable[[int], None] | None = None
) -> tuple[SignalQuality, ...]:
    """Return the confidence, each signal that any pair has, and the constant.

    Args:
        results: the results to measure; at least one.
        documents: the ranked tags of the same results, in the same order.
        done: called with 1 after each signal that is measured.

    Raises:
        ValueError: a result has no signals.
    """
    heads = [result.tags[:PAIR_DEPTH] for result in results]
    tags = [tag for head in heads for tag in head]
    if not tags:
        return ()
    correct = np.concatenate([one.relevant[:PAIR_DEPTH] for one in documents])
    document = np.repeat(np.arange(len(heads)), [len(head) for head in heads])
    table = _Table(correct, document, len(documents))
    # As in the calibrator: each signal, and how it compares with the others of the content.
    numbers = np.concatenate([calibrator_rows(head) for head in heads if head])
    report = done or (lambda _: None)
    confidence = np.array([tag.confidence for tag in tags])
    found = [table.unmapped(COMBINED, confidence)]
    report(1)
    for name in SIGNALS:
        raw = np.array([_raw(tag, name) for tag in tags])
        if (present := ~np.isnan(raw)).any():
            columns = numbers[:, [CALIBRATOR_COLUMNS.index(column) for column in columns_of_signal(name)]]
            found.append(table.mapped(name, present, columns, raw))
            report(1)
    for path in Path:
        scores = np.array([_score(tag, path) for tag in tags])
        if (present := ~np.isnan(scores)).any():
            found.append(table.mapped(path.value, present, np.column_stack([np.nan_to_num(scores), present])))
            report(1)
    # The best confidence that knows nothing of a pair: the share of right pairs, for all of them.
    found.append(table.unmapped(CONSTANT, np.full(len(tags), correct.mean())))
    report(1)
    return tuple(found)


def _raw(tag: TagDecision, name: str) -> float:
    value = getattr(tag.signals, name)
    return np.nan if value is None else float(value)


def _score(tag: TagDecision, path: Path) -> float:
    """Return a path's score of a tag in log odds: the raw share or score if there is one, else ``score``."""
    for item in tag.evidence:
        if item.path is path:
            value = item.raw if isinstance(item, C2C2TEvidence | LinearEvidence) else item.score
            return log_odds(value)
    return np.nan


class _Table:
    """The pairs of all documents, in the same order for all signals."""

    def __init__(self, correct: Floats, document: NDArray[np.int64], documents: int) -> None:
        self._correct, self._document, self._documents = correct, document, documents

    def unmapped(self, name: str, probabilities: Floats) -> SignalQuality:
        """Measure probabilities that every pair has."""
        found = self._measured(probabilities)
        return SignalQuality(name=name, present=1.0, unmapped=found, mapped=found)

    def mapped(
        self, name: str, present: NDArray[np.bool_], columns: Floats, raw: Floats | None = None
    ) -> SignalQuality:
        """Measure one signal.

        Args:
            name: the signal's name.
            present: which pairs have the signal, shape (pairs,).
            columns: the numbers that are mapped to a probability, shape (pairs, any).
            raw: the signal, if it is a probability, shape (pairs,); NaN where it is missing.
        """
        return SignalQuality(
            name=name,
            present=float(present.mean()),
            unmapped=None if raw is None else self._measured(raw[present], present),
            mapped=self._mapped(columns) if len(np.unique(self._document)) > 1 else None,
        )

    def _measured(self, values: Floats, chosen: NDArray[np.bool_] | slice = slice(None)) -> SignalMetrics:
        order = np.argsort(values, kind="stable")
        pairs = ConfidencePairs(values[order], self._correct[chosen][order], self._document[chosen][order])
        return SignalMetrics(
            metrics={name: metric(pairs) for name, metric in CONFIDENCE.items()},
            intervals=pair_intervals(pairs, self._documents),
        )

    def _mapped(self, columns: Floats) -> SignalMetrics:
        """Measure the probabilities that a logistic fit on the documents of the other folds gives."""
        logits = np.zeros(len(columns))
        for train, test in document_folds(self._document, outer_folds(self._documents), _SEED):
            weights = fit_logistic(columns[train], self._correct[train] > 0, STRENGTHS[-1])
            logits[test] = columns[test] @ weights[:-1] + weights[-1]
        return self._measured(probabilities(logits))
