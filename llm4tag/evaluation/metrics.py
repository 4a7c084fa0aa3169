"""Metrics of ranked tags against gold tags.

Ranking metrics are taken per document and averaged. Metrics of confidence are pooled over pairs: the first
``PAIR_DEPTH`` candidates of every document, right or wrong; a gold tag not recalled counts in recall only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PAIR_DEPTH = 40
ECE_BINS = 15
LOG_LOSS_CLIP = 1e-6
"""Confidences are clipped this far from 0 and 1, so that one certain mistake costs 13.8 and not infinity."""


@dataclass(frozen=True)
class Document:
    """The tags of one document, best first, beside its gold tags."""

    ranked: tuple[str, ...]
    confidences: tuple[float, ...]
    """One for each of ``ranked``, never rising."""
    gold: frozenset[str]
    """At least one tag."""

    @cached_property
    def relevant(self) -> Floats:
        """1.0 for every ranked tag that is gold, else 0.0; shape (len(ranked),)."""
        return np.array([tag in self.gold for tag in self.ranked], dtype=np.float64)

    def hits(self, k: int) -> float:
        """Return how many of the first ``k`` are gold."""
        return float(self.relevant[:k].sum())


def precision(document: Document, k: int) -> float:
    """Hits / k."""
    return document.hits(k) / k


def f1(document: Document, k: int) -> float:
    """2 · hits / (k + gold): the first ``k`` whatever their decision."""
    return 2 * document.hits(k) / (k + len(document.gold))


def r_precision(document: Document, k: int) -> float:
    """Hits / min(k, gold)."""
    return document.hits(k) / min(k, len(document.gold))


def recall(document: Document, k: int) -> float:
    """Hits / gold."""
    return document.hits(k) / len(document.gold)


def ndcg(document: Document, k: int) -> float:
    """Binary nDCG; the ideal has min(k, gold) hits in front."""
    discounts = 1 / np.log2(np.arange(2, k + 2))
    found = document.relevant[:k]
    return float(found @ discounts[: len(found)]) / float(discounts[: min(k, len(document.gold))].sum())


RANKING: Mapping[str, Callable[[Document], float]] = MappingProxyType(
    {
        "p@1": partial(precision, k=1),
        "f1@5": partial(f1, k=5),
        "ndcg@10": partial(ndcg, k=10),
        "rp@5": partial(r_precision, k=5),
        "rp@10": partial(r_precision, k=10),
        "recall@10": partial(recall, k=10),
        "recall@50": partial(recall, k=50),
    }
)


@dataclass(frozen=True)
class Pairs:
    """Confidences with what was right, sorted by confidence, rising; all arrays of shape (pairs,)."""

    confidence: Floats
    correct: Floats
    document: NDArray[np.int64]
    """Place of the document that the pair is of."""

    def __len__(self) -> int:
        return len(self.confidence)

    @property
    def prevalence(self) -> float | None:
        """Share of the pairs that are right."""
        return float(self.correct.mean()) if len(self) else None

    def repeated(self, times: NDArray[np.int64]) -> "Pairs":
        """Return every pair as often as ``times``, shape (documents,), says for its document."""
        repeats = times[self.document]
        return Pairs(
            np.repeat(self.confidence, repeats),
            np.repeat(self.correct, repeats),
            np.repeat(self.document, repeats),
        )


def pairs_of(documents: Sequence[Document], depth: int | None = PAIR_DEPTH) -> Pairs:
    """Pool the first ``depth`` candidates of all documents, or all; ties keep the order of documents and ranks."""
    heads = [(document.confidences[:depth], document.relevant[:depth]) for document in documents]
    confidence = np.array([one for head, _ in heads for one in head], dtype=np.float64)
    correct = np.concatenate([np.zeros(0), *(labels for _, labels in heads)])
    document = np.repeat(np.arange(len(heads)), [len(head) for head, _ in heads])
    order = np.argsort(confidence, kind="stable")
    return Pairs(confidence[order], correct[order], document[order])


def auroc(pairs: Pairs) -> float | None:
    """Area under the ROC curve: how often a right pair has more confidence than a wrong one, ties half.

    Returns:
        None where all pairs are right, or all wrong: there is nothing to tell apart.
    """
    right = float(pairs.correct.sum())
    wrong = len(pairs) - right
    if not right or not wrong:
        return None
    starts = np.flatnonzero(np.diff(pairs.confidence, prepend=-np.inf))
    rights = np.add.reduceat(pairs.correct, starts)
    wrongs = np.add.reduceat(1 - pairs.correct, starts)
    below = np.cumsum(wrongs) - wrongs
    return float(rights @ (below + wrongs / 2)) / (right * wrong)


def log_loss(pairs: Pairs) -> float | None:
    """Mean negative log-likelihood in nats, confidences clipped by ``LOG_LOSS_CLIP``; None without pairs."""
    if not len(pairs):
        return None
    clipped = np.clip(pairs.confidence, LOG_LOSS_CLIP, 1 - LOG_LOSS_CLIP)
    return float(-np.mean(np.where(pairs.correct > 0, np.log(clipped), np.log1p(-clipped))))


def brier(pairs: Pairs) -> float | None:
    """Mean squared difference of confidence and what was right; None without pairs."""
    return float(np.mean((pairs.confidence - pairs.correct) ** 2)) if len(pairs) else None


def ece(pairs: Pairs, bins: int = ECE_BINS) -> float | None:
    """Expected calibration error over bins of equal mass (sizes differ by one at most); None without pairs.

    Pairs of one confidence share what is right among them, as their order says nothing: a constant that is the
    prevalence has 0.
    """
    if not len(pairs):
        return None
    starts = np.flatnonzero(np.diff(pairs.confidence, prepend=-np.inf))
    sizes = np.diff(starts, append=len(pairs))
    shared = np.repeat(np.add.reduceat(pairs.correct, starts) / sizes, sizes)
    gaps = np.array_split(pairs.confidence - shared, bins)
    return float(sum(abs(gap.sum()) for gap in gaps) / len(pairs))


CONFIDENCE: Mapping[str, Callable[[Pairs], float | None]] = MappingProxyType(
    {"auroc": auroc, "log_loss": log_loss, "brier": brier, "ece": ece}
)

METRICS = (*RANKING, *CONFIDENCE)
"""Names of all metrics, in the order of reports."""


def measure(documents: Sequence[Document], pairs: Pairs | None = None) -> dict[str, float | None]:
    """Return all metrics over documents, at least one, and pairs of them; None where a metric is undefined."""
    pairs = pairs_of(documents) if pairs is None else pairs
    ranking = {name: float(np.mean([metric(one) for one in documents])) for name, metric in RANKING.items()}
    return {**ranking, **{name: metric(pairs) for name, metric in CONFIDENCE.items()}}
