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
        here = self._surroundings(content, left_out)
        raw = self._by(MIXED, self.mixed, here)
        company, closest = self.cooccurrence.company(raw, without=here.left_out_labels)
        wide = None
        if "vectors" in here.among:
            speak = _solved(*(one["words"] * one["vectors"] for one in (here.among, here.to_near)))
            wide = np.asarray(speak @ here.labels, dtype=np.float32)
        return TagScores(
            raw=raw,
            titled=self._by(TITLED, self.titled, here),
            company=company,
            closest=closest,
            wide=wide,
            nearness=here.nearness,
        )

    def _surroundings(self, content: ContentFeatures, left_out: NDArray[np.int64]) -> "_Surroundings":
        alike = mixed(content.text_similarities(self.features), MIXED)
        alike[left_out] = -1.0
        count = min(NEAREST, len(alike) - len(left_out))
        near = np.argpartition(-alike, count - 1)[:count] if count > 0 else _NONE
        around, landmarks = self.features.at(near), self._at_landmarks
        beyond = None
        if content.vectors is not None and around.vectors is not None and landmarks.vectors is not None:
            own = gaussian(landmarks.vectors @ content.vectors[0])
            beyond = own, gaussian(around.vectors @ landmarks.vectors.T)
        return _Surroundings(
            content=content,
            around=around,
            labels=self.labels[near],
            to_near={name: values[0] for name, values in content.similarities(around).items()},
            among=around.similarities(around),
            nearness=float(alike[near].max(initial=0.0)),
            vectors_to_landmarks=beyond,
            left_out=self.features.at(left_out).similarities(landmarks) if len(left_out) else None,
            left_out_labels=self.labels[left_out],
        )

    def _by(self, kernel: Kernel, regression: LandmarkRegression, here: "_Surroundings") -> Floats32:
        """Score every tag by both steps in one kernel, shape (t,)."""
        speak = _solved(mixed(here.among, kernel), mixed(here.to_near, kernel))
        found = np.asarray(speak @ here.labels, dtype=np.float32)
        frequent = regression.weights.shape[1]
        features = regression.features(self._to_landmarks(here, speak, kernel))
        found[:frequent] += regression.scores(features)
        if here.left_out is not None:
            own = regression.features(mixed(here.left_out, kernel))
            given = here.left_out_labels[:, :frequent].toarray()
            found[:frequent] -= regression.learnt_from(features, own, given)
        return found

    def _to_landmarks(self, here: "_Surroundings", speak: Floats32, kernel: Kernel) -> Floats32:
        """Return a content's similarities with the landmarks less those that its neighbours have already, (r,)."""
        landmarks = self._at_landmarks
        found = np.zeros(len(landmarks), dtype=np.float32)
        for name, share in kernel.shares(vectors=here.vectors_to_landmarks is not None).items():
            if name != "vectors":
                left = here.content.parts[name].toarray()[0] - speak @ here.around.parts[name]
                found += share * (landmarks.parts[name] @ left)
            elif here.vectors_to_landmarks is not None:
                own, of_neighbours = here.vectors_to_landmarks
                found += share * (own - speak @ of_neighbours)
        return found


@dataclass(frozen=True)
class _Surroundings:
    """A content with its m nearest contents and the g that are left out: what all kernels have in common."""

    content: ContentFeatures
    around: ContentFeatures
    labels: csr_array
    """Of the nearest, shape (m, t)."""
    to_near: dict[str, Floats32]
    """Similarities of the content with the nearest, each of shape (m,)."""
    among: dict[str, Floats32]
    """Similarities of the nearest with each other, each of shape (m, m)."""
    nearness: float
    vectors_to_landmarks: tuple[Floats32, Floats32] | None
    """Similarities by vector with the landmarks: the content's, (r,), and the nearest contents', (m, r)."""
    left_out: dict[str, Floats32] | None
    """Similarities of those that are left out with the landmarks, each of shape (g, r); None where g is 0."""
    left_out_labels: csr_array
    """Shape (g, t)."""


def _solved(among: Floats32, to_near: Floats32) -> Floats32:
    """Return how much each of m contents speaks for one, (m,): (among + ridge)⁻¹ · to_near."""
    if not len(among):
        return np.zeros(0, dtype=np.float32)
    penalised = among + RIDGE * np.eye(len(among), dtype=np.float32)
    found: Floats32 = linalg.solve(penalised, to_near, assume_a="pos", check_finite=False)
    return found
