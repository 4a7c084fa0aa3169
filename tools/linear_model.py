"""The linear scorer: what history's words and vectors, weighed together, say of every tag.

Two steps of ridge regression in one kernel. The first, over landmarks, learns what is general: which words and
meanings go with which tags. The second, over the contents nearest to the one that is scored, learns what the first
left unexplained, and all of rare tags. Both are closed forms, so a content is scored exactly as if it, or others,
had not been there. A third score looks at the nearest alone, by the product of words and vectors: less sure of the
first few tags, it finds more of the rare.

It is fitted by ``llm4tag.training.linear_fit`` and becomes bytes in ``linear_archive``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.sparse import csr_array

from llm4tag.calibration.passport import FitNote
from llm4tag.models.embedder import Vector
from llm4tag.tools.content_features import MIXED, TITLED, ContentFeatures, FeatureReader, Kernel, gaussian, mixed
from llm4tag.tools.cooccurrence import Cooccurrence
from llm4tag.tools.landmark_regression import LandmarkRegression
from llm4tag.tools.terms import Floats32

NEAREST = 100
"""The number of contents that the second step looks at."""
RIDGE = 0.3
"""The penalty of all regressions."""
_NONE = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class TagScores:
    """What a linear model says of one content, a number a tag; all of shape (t,) but for ``nearness``."""

    raw: Floats32
    """About 1 where it is sure of the tag, about 0 where sure of the opposite."""
    titled: Floats32
    """As ``raw``, where the first line counts once more."""
    company: Floats32
    closest: Floats32
    """See ``Cooccurrence.company``."""
    wide: Floats32 | None
    """As ``raw``, over the nearest contents by the product of words and vectors; None without vectors."""
    nearness: float
    """How alike the nearest content is, from 0 to 1."""


@dataclass(frozen=True)
class LinearModel:
    """A fitted scorer over n contents and t tags."""

    fitted: FitNote
    reader: FeatureReader
    features: ContentFeatures
    """Of the n contents."""
    contents: Sequence[str]
    """Their ids."""
    tags: Sequence[str]
    """The ids of the tags that it was fitted on, the most frequent first."""
    labels: csr_array
    """1 where a content has a tag; shape (n, t)."""
    landmarks: NDArray[np.int64]
    """The rows of r contents."""
    mixed: LandmarkRegression
    """Over the first f tags; the others are left to the second step."""
    titled: LandmarkRegression
    """The same in the kernel where the first line counts once more."""

    @cached_property
    def seen(self) -> frozenset[str]:
        """The tags that it was fitted on; it can score no others."""
        return frozenset(self.tags)

    @cached_property
    def cooccurrence(self) -> Cooccurrence:
        """How often people gave two tags to one content."""
        return Cooccurrence.of(self.labels)

    @cached_property
    def _row(self) -> dict[str, int]:
        return {content: row for row, content in enumerate(self.contents)}

    @cached_property
    def _at_landmarks(self) -> ContentFeatures:
        return self.features.at(self.landmarks)

    def scores(self, text: str, vector: Vector | None, content_id: str | None = None) -> TagScores:
        """Score every tag for a content.

        Args:
            text: of the content.
            vector: its embedding; None where the store has none.
            content_id: a content that it was fitted on is scored as if it had not been.
        """
        row = None if content_id is None else self._row.get(content_id)
        left_out = _NONE if row is None else np.array([row])
        return self._scores(self.reader.features([text], None if vector is None else vector[None, :]), left_out)

    def scores_without(self, row: int, left_out: NDArray[np.int64]) -> TagScores:
        """Score every tag for one of its own contents as if it had been fitted without some of them.

        Args:
            row: of the content.
            left_out: rows, the content's own among them.
        """
        return self._scores(self.features.at(np.array([row])), left_out)

    def _scores(self, content: ContentFeatures, left_out: NDArray[np.int64]) -> TagScores:
        alike = mixed(content.text_similarities(self.features), MIXED)
        alike[left_out] = -1.0
        count = min(NEAREST, len(alike) - len(left_out))
        near = np.argpartition(-alike, count - 1)[:count] if count > 0 else _NONE
        around = self.features.at(near)
        to_near = {name: values[0] for name, values in content.similarities(around).items()}
        among = around.similarities(around)
        labels = self.labels[near]
        without = self.labels[left_out]

        def by(kernel: Kernel, regression: LandmarkRegression) -> Floats32:
            speak = _solved(mixed(among, kernel), mixed(to_near, kernel))
            at = self._to_landmarks(content, around, speak, kernel)
            found = np.asarray(speak @ labels, dtype=np.float32)
            frequent = regression.weights.shape[1]
            features = regression.features(at)
            found[:frequent] += regression.scores(features)
            if len(left_out):
                own = regression.features(
                    mixed(self.features.at(left_out).similarities(self._at_landmarks), kernel)
                )
                given = without[:, :frequent].toarray()
                found[:frequent] -= regression.learnt_from(features, own, given)
            return found

        raw = by(MIXED, self.mixed)
        company, closest = self.cooccurrence.company(raw, without=without)
        wide = None
        if "vectors" in among:
            speak = _solved(among["words"] * among["vectors"], to_near["words"] * to_near["vectors"])
            wide = np.asarray(speak @ labels, dtype=np.float32)
        return TagScores(
            raw=raw,
            titled=by(TITLED, self.titled),
            company=company,
            closest=closest,
            wide=wide,
            nearness=float(alike[near].max(initial=0.0)),
        )

    def _to_landmarks(
        self, content: ContentFeatures, around: ContentFeatures, speak: Floats32, kernel: Kernel
    ) -> Floats32:
        """Return a content's similarities with the landmarks less those that its neighbours have already, (r,)."""
        landmarks = self._at_landmarks
        shares = kernel.shares(vectors=content.vectors is not None and landmarks.vectors is not None)
        found = np.zeros(len(landmarks), dtype=np.float32)
        for name, share in shares.items():
            if name != "vectors":
                left = content.parts[name].toarray()[0] - speak @ around.parts[name]
                found += share * (landmarks.parts[name] @ left)
            elif content.vectors is not None and around.vectors is not None and landmarks.vectors is not None:
                own = gaussian(landmarks.vectors @ content.vectors[0])
                found += share * (own - speak @ gaussian(around.vectors @ landmarks.vectors.T))
        return found


def _solved(among: Floats32, to_near: Floats32) -> Floats32:
    """Return how much each of m contents speaks for one, (m,): (among + ridge)⁻¹ · to_near."""
    if not len(among):
        return np.zeros(0, dtype=np.float32)
    penalised = among + RIDGE * np.eye(len(among), dtype=np.float32)
    found: Floats32 = linalg.solve(penalised, to_near, assume_a="pos", check_finite=False)
    return found
