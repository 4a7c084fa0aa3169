"""The fit of the prior of recall: one set of weights for each size of history, close to those of all sizes."""

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from llm4tag.calibration.log_odds import Floats
from llm4tag.calibration.recall_prior import FARTHEST, GROUPS, GroupPrior, PriorFile, PriorSource
from llm4tag.training.fusion_fit import fit_centred
from llm4tag.training.prior_evidence import EvidenceSource, SizedPairs

_CONTENTS = 400.0
"""How many contents each set counts for at each size, however many there are."""
_UNRELATED = 60.0
"""How many contents texts about nothing count for."""
_PENALTY = 1000.0
"""On the square of each weight, for each set."""
_DRAWN = 0.3
"""The share of the wrong pairs that is fitted on."""
_DIGITS = 5


def fit_prior(
    with_vectors: Sequence[SizedPairs],
    with_words: Sequence[SizedPairs],
    sources: Sequence[EvidenceSource],
    sizes: Sequence[int],
    seed: int,
) -> PriorFile:
    """Fit both parts of the prior.

    Args:
        with_vectors: evidence in stores with embeddings.
        with_words: evidence in stores without.
        sources: the sets.
        sizes: the sizes of history.
        seed: of the evidence, and of the choice of wrong pairs.
    """
    return PriorFile(
        sources=tuple(_source(one, [*with_vectors, *with_words]) for one in sources),
        seed=seed,
        versions={name: importlib.metadata.version(name) for name in ("numpy", "scipy")},
        sizes=tuple(sizes),
        with_vectors=_groups(_Pooled.of(with_vectors, seed), sizes),
        with_words=_groups(_Pooled.of(with_words, seed), sizes),
    )


def _source(source: EvidenceSource, evidence: Sequence[SizedPairs]) -> PriorSource:
    own = [one for one in evidence if one.source == source.name and not one.unrelated]
    return PriorSource(
        name=source.name,
        licence=source.licence,
        tags=len({tag for one in source.contents for tag in one.gold}),
        contents=sum(len(np.unique(one.pairs.document)) for one in own),
        sizes=tuple(sorted({one.size for one in own})),
    )


@dataclass(frozen=True)
class _Pooled:
    """The n pairs of all sets; arrays of shape (n,) but for the rows."""

    rows: Floats
    """Standardised, with a last column of ones; shape (n, columns + 1)."""
    means: Floats
    scales: Floats
    groups: NDArray[np.int64]
    sizes: NDArray[np.int64]
    right: NDArray[np.bool_]
    offsets: Floats
    weights: Floats
    sources: int

    @classmethod
    def of(cls, evidence: Sequence[SizedPairs], seed: int) -> Self:
        """Pool evidence; of the wrong pairs a part is drawn, which counts for all."""
        random = np.random.default_rng(seed)
        drawn = [one.pairs.drawn(_DRAWN, random) for one in evidence]
        parts = [pairs for pairs, _ in drawn]
        weights = np.concatenate(
            [_weight(one, evidence) * counts for one, (_, counts) in zip(evidence, drawn, strict=True)]
        )
        rows = np.concatenate([part.rows for part in parts])
        means = np.average(rows, axis=0, weights=weights)
        scales = np.sqrt(np.average((rows - means) ** 2, axis=0, weights=weights))
        scales[scales < 1e-6] = 1.0
        return cls(
            rows=np.column_stack([np.clip((rows - means) / scales, -FARTHEST, FARTHEST), np.ones(len(rows))]),
            means=means,
            scales=scales,
            groups=np.concatenate([part.groups for part in parts]),
            sizes=np.concatenate(
                [np.full(len(part.right), one.size) for one, part in zip(evidence, parts, strict=True)]
            ),
            right=np.concatenate([part.right for part in parts]),
            offsets=np.concatenate([part.offsets for part in parts]),
            weights=weights,
            sources=len({one.source for one in evidence}),
        )

    def moved(self, here: NDArray[np.bool_], start: Floats, intercept: float) -> Floats:
        """Return the weights, shape (columns + 1,), that fit some pairs best and stay close to others.

        Args:
            here: which pairs, shape (n,).
            start: the weights to stay close to.
            intercept: the penalty on moving the intercept.
        """
        if not here.any():
            return start
        penalty = np.full(self.rows.shape[1], _PENALTY * self.sources)
        penalty[-1] = intercept
        rows = self.rows[here]
        offsets = self.offsets[here] + rows @ start
        return start + fit_centred(rows, self.right[here], offsets, penalty, self.weights[here])


def _groups(pooled: _Pooled, sizes: Sequence[int]) -> tuple[GroupPrior, ...]:
    """Fit the weights over all pairs, then those of each group around them, then those of each size.

    So a group that is rare at a size weighs what it has in common with others as these do.
    """
    common = pooled.moved(np.ones(len(pooled.right), dtype=bool), np.zeros(pooled.rows.shape[1]), 0.0)
    found = []
    for group in range(GROUPS):
        own = pooled.groups == group
        of_group = pooled.moved(own, common, 1.0)
        weights = [pooled.moved(own & (pooled.sizes == size), of_group, 1.0) for size in sizes]
        found.append(
            GroupPrior(
                means=_rounded(pooled.means),
                scales=_rounded(pooled.scales),
                weights=tuple(_rounded(one) for one in weights),
            )
        )
    return tuple(found)


def _weight(one: SizedPairs, evidence: Sequence[SizedPairs]) -> float:
    """Return the weight of each pair, so that every set counts alike at every size."""
    alike = [
        other
        for other in evidence
        if (other.source, other.size, other.unrelated) == (one.source, one.size, one.unrelated)
    ]
    contents = sum(len(np.unique(other.pairs.document)) for other in alike)
    return (_UNRELATED if one.unrelated else _CONTENTS) / contents


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values)
