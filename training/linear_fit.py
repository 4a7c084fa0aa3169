"""The fit of the linear scorer, which can also score a content as if it and its near-duplicates were unknown."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from llm4tag.calibration.passport import FitNote
from llm4tag.models.embedder import Progress
from llm4tag.tools.content_features import MIXED, TITLED, ContentFeatures, FeatureReader, Kernel, mixed
from llm4tag.tools.landmark_regression import LandmarkRegression, LandmarkSums
from llm4tag.tools.linear_model import RIDGE, LinearModel, TagScores
from llm4tag.training.near_duplicates import near_duplicates
from llm4tag.training.tagged_history import History

LANDMARKS = 1000
"""The most landmarks: with more, debtags, biotools and all-subjects gained nothing."""
_MOST_FREQUENT = 5000
"""The most tags that the regression over landmarks learns; of others the nearest contents say all there is."""
_BLOCK = 2000


@dataclass(frozen=True)
class LinearFit:
    """A fitted scorer, and which contents are near-duplicates."""

    model: LinearModel
    duplicates: Mapping[int, NDArray[np.int64]]
    """The rows of a content's near-duplicates, its own row included, by its row."""

    def held_out(self, row: int) -> TagScores:
        """Return the scores of a content by the model that would be fitted without it and its near-duplicates.

        Nothing is fitted again: see ``LinearModel.scores_without``. The weights of terms stay as they are.
        """
        return self.model.scores_without(row, self.duplicates[row])


def fit_linear(
    history: History, fitted: FitNote, rows: Sequence[int] | None = None, progress: Progress | None = None
) -> LinearFit:
    """Fit the linear scorer on all contents of a history, in a time that grows with their number.

    Args:
        history: the contents.
        fitted: the record of the fit that the model contains.
        rows: the contents whose near-duplicates will be asked for; None: all.
        progress: called with the number of contents after each block.
    """
    reader = FeatureReader.fit(history.texts, history.vectors)
    features = reader.features(history.texts, history.vectors)
    tags = tags_by_frequency(history)
    labels = labels_of(history, tags)
    landmarks = _landmarks(len(history), fitted.seed)
    by_mixed, by_titled = _regressions(features, labels, landmarks, progress)
    model = LinearModel(
        fitted=fitted,
        reader=reader,
        features=features,
        contents=history.ids,
        tags=tags,
        labels=labels,
        landmarks=landmarks,
        mixed=by_mixed,
        titled=by_titled,
    )
    return LinearFit(model, near_duplicates(history.texts, features.parts["words"], history.vectors, rows))


def tags_by_frequency(history: History) -> list[str]:
    """Return the tags of the contents, the most frequent first."""
    counts = Counter(tag for given in history.tags for tag in set(given))
    return sorted(counts, key=lambda tag: (-counts[tag], tag))


def labels_of(history: History, tags: Sequence[str]) -> csr_array:
    """Return a matrix that is 1 where a content has a tag, shape (n, t)."""
    column = {tag: number for number, tag in enumerate(tags)}
    rows = [sorted(column[tag] for tag in set(given)) for given in history.tags]
    starts = np.cumsum([0, *(len(row) for row in rows)], dtype=np.int32)
    columns = np.array([place for row in rows for place in row], dtype=np.int32)
    return csr_array((np.ones(len(columns), dtype=np.float32), columns, starts), shape=(len(rows), len(tags)))


def _landmarks(contents: int, seed: int) -> NDArray[np.int64]:
    if contents <= LANDMARKS:
        return np.arange(contents)
    return np.sort(np.random.default_rng(seed).choice(contents, LANDMARKS, replace=False))


def _regressions(
    features: ContentFeatures, labels: csr_array, landmarks: NDArray[np.int64], progress: Progress | None
) -> tuple[LandmarkRegression, LandmarkRegression]:
    """Fit the regressions of both kernels, block by block of contents."""
    at = features.at(landmarks)
    frequent = labels[:, : min(labels.shape[1], _MOST_FREQUENT)]
    kernels: tuple[Kernel, Kernel] = (MIXED, TITLED)
    sums = [LandmarkSums.empty(len(landmarks), frequent.shape[1]) for _ in kernels]
    for start in range(0, len(features), _BLOCK):
        some = slice(start, min(len(features), start + _BLOCK))
        similarities = features.at(some).similarities(at)
        given = frequent[some].T.tocsr()
        for kernel, total in zip(kernels, sums, strict=True):
            block = mixed(similarities, kernel)
            total.covariance += block.T @ block
            total.by_tag += (given @ block).T
        if progress is not None:
            progress(some.stop - some.start)
    among = at.similarities(at)
    one, other = (
        total.regression(mixed(among, kernel), RIDGE) for kernel, total in zip(kernels, sums, strict=True)
    )
    return one, other
