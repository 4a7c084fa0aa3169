"""Contents as the linear scorer sees them, and how alike two of them are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from llm4tag.models.embedder import Vectors
from llm4tag.tools.terms import Floats32, TermWeights, letters_of_beginning, terms_of, terms_of_first_line

_SHARPNESS = 2.0
"""Of the Gaussian exp(-distance²) of unit vectors, which is exp(2 · (cosine - 1))."""
READERS = {"words": terms_of, "first_line": terms_of_first_line, "beginning": letters_of_beginning}
"""What is read of a text, by the name of the part."""


@dataclass(frozen=True)
class Kernel:
    """How alike two contents are, from 0 to 1: shares of the parts, which add up to 1."""

    words: float
    vectors: float
    first_line: float = 0.0
    beginning: float = 0.0

    def shares(self, *, vectors: bool) -> dict[str, float]:
        """Return the share of each part that has one; without vectors the others share theirs."""
        parts = {"words": self.words, "first_line": self.first_line, "beginning": self.beginning}
        scale = 1.0 if vectors else 1.0 / sum(parts.values())
        found = {name: share * scale for name, share in parts.items() if share}
        return {**found, "vectors": self.vectors} if vectors else found


MIXED = Kernel(words=0.4, vectors=0.6)
"""The whole text by its words and its vector."""
TITLED = Kernel(words=0.3, vectors=0.5, first_line=0.1, beginning=0.1)
"""The same, where the first line and how it begins count once more."""


@dataclass(frozen=True)
class ContentFeatures:
    """n contents, a row each."""

    parts: dict[str, csr_array]
    """Rows of tf-idf, L2-normalised, by the name of the part; each of shape (n, terms)."""
    vectors: Floats32 | None
    """Centred and L2-normalised, shape (n, dimensions); None in a store without embeddings."""

    def __len__(self) -> int:
        return int(self.parts["words"].shape[0])

    def at(self, rows: NDArray[np.int64] | slice) -> Self:
        """Return these contents alone."""
        vectors = None if self.vectors is None else self.vectors[rows]
        return type(self)({name: part[rows] for name, part in self.parts.items()}, vectors)

    def similarities(self, others: Self) -> dict[str, Floats32]:
        """Return the similarity of each content with each other one by each part, shape (n, others)."""
        found = {
            name: np.asarray((part @ others.parts[name].T).toarray(), dtype=np.float32)
            for name, part in self.parts.items()
        }
        if self.vectors is not None and others.vectors is not None:
            found["vectors"] = gaussian(self.vectors @ others.vectors.T)
        return found

    def text_similarities(self, others: Self) -> dict[str, Floats32]:
        """Return the similarities of the first of these with all others by words and vectors alone, (others,)."""
        found = {"words": others.parts["words"] @ self.parts["words"][:1].toarray()[0]}
        if self.vectors is not None and others.vectors is not None:
            found["vectors"] = gaussian(others.vectors @ self.vectors[0])
        return found


def gaussian(cosines: Floats32) -> Floats32:
    """Return the similarity that lies in cosines of centred unit vectors, from 0 to 1."""
    return np.asarray(np.exp(_SHARPNESS * (cosines - 1)), dtype=np.float32)


def mixed(similarities: dict[str, Floats32], kernel: Kernel) -> Floats32:
    """Return similarities by a kernel, of the same shape."""
    shares = kernel.shares(vectors="vectors" in similarities)
    return np.asarray(sum(share * similarities[name] for name, share in shares.items()), dtype=np.float32)


@dataclass(frozen=True)
class FeatureReader:
    """Turns texts and raw embeddings into features."""

    terms: dict[str, TermWeights]
    """By the name of the part."""
    centre: Floats32 | None
    """The mean of raw embeddings, shape (dimensions,): what all of one model share; None without embeddings."""

    @classmethod
    def fit(cls, texts: Sequence[str], vectors: Vectors | None) -> Self:
        """Learn which terms count, and the mean of the embeddings."""
        terms = {name: TermWeights.fit(texts, read=read) for name, read in READERS.items()}
        return cls(terms, None if vectors is None else vectors.mean(axis=0))

    def features(self, texts: Sequence[str], vectors: Vectors | None) -> ContentFeatures:
        """Return the features of contents.

        Args:
            texts: of n contents.
            vectors: their raw embeddings, shape (n, dimensions); None where there are none.
        """
        parts = {name: weights.rows(texts) for name, weights in self.terms.items()}
        if vectors is None or self.centre is None:
            return ContentFeatures(parts, None)
        moved = vectors - self.centre
        lengths = np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)
        return ContentFeatures(parts, np.asarray(moved / lengths, dtype=np.float32))
