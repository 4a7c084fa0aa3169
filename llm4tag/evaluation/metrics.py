"""Metrics of ranked tags against gold tags.

Ranking metrics are computed per document and averaged. Metrics of confidence are pooled over pairs of a document
and one of its first ``PAIR_DEPTH`` candidates, right or wrong; a gold tag that was not recalled counts in recall
only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from llm4tag.calibration.log_odds import Floats

PAIR_DEPTH = 40
"""Candidates of each document that metrics of confidence are over."""
ECE_BINS = 15
LOG_LOSS_CLIP = 1e-6
"""Confidences are clipped this far from 0 and 1, so that one certain mistake costs 13.8 and not infinity."""


@dataclass(frozen=True)
class RankedTags:
    """The tags of one document, best first, with its gold tags."""

    ranked: tuple[str, ...]
    confidences: tuple[float, ...]
    """The confidence of each tag in ``ranked``, never rising."""
    gold: frozenset[str]
    """The right tags; at least one."""

    @cached_property
    def relevant(self) -> Floats:
        """Return 1.0 for every ranked tag that is gold, else 0.0; shape (len(ranked),)."""
        return np.array([tag in self.gold for tag in self.ranked], dtype=np.float64)

    def hits(self, k: int) -> float:
        """Return how many of the first ``k`` tags are gold."""
        return float(self.relevant[:k].sum())


def precision(document: RankedTags, k: int) -> float:
    """Return hits / k."""
    return document.hits(k) / k


def f1(document: RankedTags, k: int) -> float:
    """Return 2 · hits / (k + gold) for the first ``k`` tags, whatever their decision."""
    return 2 * document.hits(k) / (k + len(document.gold))


def r_precision(document: RankedTags, k: int) -> float:
    """Return hits / min(k, gold)."""
    return document.hits(k) / min(k, len(document.gold))


def recall(document: RankedTags, k: int) -> float:
    """Return hits / gold."""
    return document.hits(k) / len(document.gold)


def ndcg(document: RankedTags, k: int) -> float:
    """Return the binary nDCG; the ideal ranking has min(k, gold) hits in front."""
    discounts = 1 / np.log2(np.arange(2, k + 2))
    found = document.relevant[:k]
    return float(found @ discounts[: len(found)]) / float(discounts[: min(k, len(document.gold))].sum())


RANKING: Mapping[str, Callable[[RankedTags], float]] = MappingProxyType(
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
class ConfidencePairs:
    """Confidences and whether they were right, by rising confidence; all arrays have the shape (pairs,)."""

    confidence: Floats
    correct: Floats
    """1.0 where the tag is right, else 0.0."""
    document: NDArray[np.int64]
    """The place of the pair's document among all documents."""

    def __len__(self) -> int:
        return len(self.confidence)

    @property
    def prevalence(self) -> float | None:
        """Return the share of the pairs that are right; None without pairs."""
        return float(self.correct.mean()) if len(self) else None

    def repeated(self, times: NDArray[np.int64]) -> "ConfidencePairs":
        """Return the pairs, each repeated as often as ``times``, shape (documents,), says for its document."""
        repeats = times[self.document]
        return ConfidencePairs(
            np.repeat(self.confidence, repeats),
            np.repeat(self.correct, repeats),
            np.repeat(self.document, repeats),
        )


def pairs_of(documents: Sequence[RankedTags], depth: int | None = PAIR_DEPTH) -> ConfidencePairs:
    """Pool the first ``depth`` candidates (None: all) of all documents; ties stay in the documents' order."""
    heads = [(document.confidences[:depth], document.relevant[:depth]) for document in documents]
    confidence = np.array([one for head, _ in heads for one in head], dtype=np.float64)
    correct = np.concatenate([np.zeros(0), *(labels for _, labels in heads)])
    document = np.repeat(np.arange(len(heads)), [len(head) for head, _ in heads])
    order = np.argsort(confidence, kind="stable")
    return ConfidencePairs(confidence[order], correct[order], document[order])


def auroc(pairs: ConfidencePairs) -> float | None:
    """Return the area under the ROC curve: how often a right pair has more confidence than a wrong one.

    Equal confidences count half. None means that all pairs are right, or all wrong: there is nothing to compare.
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


def log_loss(pairs: ConfidencePairs) -> float | None:
    """Return the mean negative log-likelihood in nats, clipped by ``LOG_LOSS_CLIP``; None without pairs."""
    if not len(pairs):
        return None
    clipped = np.clip(pairs.confidence, LOG_LOSS_CLIP, 1 - LOG_LOSS_CLIP)
    return float(-np.mean(np.where(pairs.correct > 0, np.log(clipped), np.log1p(-clipped))))


def brier(pairs: ConfidencePairs) -> float | None:
    """Return the mean squared difference of confidence and correctness; None without pairs."""
    return float(np.mean((pairs.confidence - pairs.correct) ** 2)) if len(pairs) else None


def ece(pairs: ConfidencePairs, bins: int = ECE_BINS) -> float | None:
    """Return the expected calibration error over bins of equal mass (sizes differ by one); None without pairs.

    Pairs of equal confidence share the mean of their correctness, as their order says nothing: so a constant that
    equals the prevalence has an error of 0.
    """
    if not len(pairs):
        return None
    starts = np.flatnonzero(np.diff(pairs.confidence, prepend=-np.inf))
    sizes = np.diff(starts, append=len(pairs))
    shared = np.repeat(np.add.reduceat(pairs.correct, starts) / sizes, sizes)
    gaps = np.array_split(pairs.confidence - shared, bins)
    return float(sum(abs(gap.sum()) for gap in gaps) / len(pairs))


CONFIDENCE: Mapping[str, Callable[[ConfidencePairs], float | None]] = MappingProxyType(
    {"auroc": auroc, "log_loss": log_loss, "brier": brier, "ece": ece}
)

METRICS = (*RANKING, *CONFIDENCE)
"""Names of all metrics, in the order of reports."""


def measure(documents: Sequence[RankedTags], pairs: ConfidencePairs | None = None) -> dict[str, float | None]:
    """Return all metrics over at least one document and pairs; an undefined metric is None."""
    pairs = pairs_of(documents) if pairs is None else pairs
    ranking = {name: float(np.mean([metric(one) for one in documents])) for name, metric in RANKING.items()}
    return {**ranking, **{name: metric(pairs) for name, metric in CONFIDENCE.items()}}
