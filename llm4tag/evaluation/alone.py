"""Each signal alone beside the confidence that combines them, and beside a constant.

A signal is measured twice: as it stands, taken for a probability, over the pairs that have it; and mapped, by a
logistic fit on it alone to documents other than those it is measured on, over all pairs. Only the latter can be
compared from signal to signal.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from calibration.signals import COLUMNS, signal_rows
from llm4tag.evaluation.bootstrap import Interval, pair_intervals
from llm4tag.evaluation.metrics import CONFIDENCE, PAIR_DEPTH, Document, Floats, Pairs
from schema import C2C2TEvidence, LinearEvidence, Path, TagDecision, TagResult

FOLDS = 5
CONSTANT = "constant"
COMBINED = "confidence"
_CLIP = 1e-4


class Measured(BaseModel):
    """Metrics of confidence with their intervals over documents."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metrics: dict[str, float | None]
    intervals: dict[str, Interval | None]


class SignalAlone(BaseModel):
    """What one signal is worth."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """A signal of ``calibration.signals``, a recall path's own score, ``confidence`` or ``constant``."""
    there: float
    """Share of the pairs that have it."""
    as_it_stands: Measured | None
    """Over the pairs that have it; None for what is no probability."""
    mapped: Measured | None
    """Over all pairs, those without it by the share of them that is right; None for fewer than two documents, as
    nothing can be fitted there. A constant needs no map."""


def signals_alone(
    results: Sequence[TagResult], documents: Sequence[Document], done: Callable[[int], None] | None = None
) -> tuple[SignalAlone, ...]:
    """Return the confidence, each signal that any pair has, and the constant.

    Args:
        results: at least one.
        documents: the same, ready to be measured.
        done: told of each that is measured.
    """
    heads = [result.tags[:PAIR_DEPTH] for result in results]
    correct = np.concatenate([one.relevant[:PAIR_DEPTH] for one in documents])
    document = np.repeat(np.arange(len(heads)), [len(head) for head in heads])
    if not len(correct):
        return ()
    table = _Table(correct, document, len(documents))
    tags = [tag for head in heads for tag in head]
    logits = signal_rows([tag.signals for tag in tags])
    columns = {name: logits[:, place] for place, name in enumerate(COLUMNS)}
    columns |= {path.value: np.array([_logit(_score(tag, path)) for tag in tags]) for path in Path}
    told = done or (lambda _: None)
    found = [table.combined(np.array([tag.confidence for tag in tags]))]
    told(1)
    for name, values in columns.items():
        if np.isnan(values).all():
            continue
        raw = np.array([_raw(tag, name) for tag in tags]) if name in COLUMNS else None
        found.append(table.alone(name, values, raw))
        told(1)
    found.append(table.constant())
    told(1)
    return tuple(found)


def _raw(tag: TagDecision, name: str) -> float:
    value = getattr(tag.signals, name)
    return np.nan if value is None else float(value)


def _score(tag: TagDecision, path: Path) -> float | None:
    """Return what a path says of a tag, in its own units: shares and raw scores before relative ones."""
    for item in tag.evidence:
        if item.path is path:
            return item.raw if isinstance(item, C2C2TEvidence | LinearEvidence) else item.score
    return None


def _logit(value: float | None) -> float:
    if value is None:
        return np.nan
    inside = min(1 - _CLIP, max(_CLIP, value))
    return float(np.log(inside / (1 - inside)))


class _Table:
    """The pairs of all documents, in one order for all signals."""

    def __init__(self, correct: Floats, document: NDArray[np.int64], documents: int) -> None:
        self._correct, self._document, self._documents = correct, document, documents
        self._fold = np.random.default_rng(0).permutation(documents)[document] % FOLDS

    def constant(self) -> SignalAlone:
        """Give all pairs the share that is right: the best that knows nothing of any."""
        found = self._measured(np.full(len(self._correct), self._correct.mean()))
        return SignalAlone(name=CONSTANT, there=1.0, as_it_stands=found, mapped=found)

    def combined(self, confidence: Floats) -> SignalAlone:
        inside = np.clip(confidence, _CLIP, 1 - _CLIP)
        return self.alone(COMBINED, np.log(inside / (1 - inside)), confidence)

    def alone(self, name: str, logits: Floats, raw: Floats | None) -> SignalAlone:
        there = ~np.isnan(logits)
        return SignalAlone(
            name=name,
            there=float(there.mean()),
            as_it_stands=None if raw is None else self._measured(raw[there], there),
            mapped=self._measured(self._mapped(logits)) if self._documents > 1 else None,
        )

    def _measured(self, values: Floats, chosen: NDArray[np.bool_] | slice = slice(None)) -> Measured:
        order = np.argsort(values, kind="stable")
        pairs = Pairs(values[order], self._correct[chosen][order], self._document[chosen][order])
        return Measured(
            metrics={name: metric(pairs) for name, metric in CONFIDENCE.items()},
            intervals=pair_intervals(pairs, self._documents),
        )

    def _mapped(self, logits: Floats) -> Floats:
        """Return probabilities by a logistic map fitted on the other folds' documents."""
        from sklearn.linear_model import LogisticRegression

        missing = np.isnan(logits)
        rows = np.column_stack([np.where(missing, 0.0, logits), missing])
        found = np.empty(len(logits))
        for fold in np.unique(self._fold):
            inside = self._fold == fold
            given = self._correct[~inside]
            if len(np.unique(given)) < 2:
                found[inside] = given.mean()
                continue
            model = LogisticRegression().fit(rows[~inside], given)
            found[inside] = model.predict_proba(rows[inside])[:, 1]
        return found
