"""A linear one-vs-rest scorer: kernel ridge regression on words and embeddings, one output a tag.

The kernel is the tf-idf cosine of words and word pairs; with embeddings, mixed with a Gaussian of centred vectors.
Fitted by ``training.linear``; here it scores, and turns into bytes and back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from calibration.archive import Arrays, packed, unpacked
from calibration.fitted import Fitted
from models.embedding import Vector, Vectors
from schema import StoreError
from tools.terms import TermWeights

Floats = NDArray[np.float32]

FORMAT = 1


@dataclass(frozen=True)
class Kernel:
    """How alike two contents are, from 0 to 1."""

    vector_weight: float
    """Share of the vectors; 0: words alone."""
    gamma: float
    """Of the Gaussian exp(-gamma · distance²) of unit vectors."""

    def mixed(self, by_words: Floats, cosines: Floats | None) -> Floats:
        """Return the kernel of what words and vectors say; where there are no vectors, words alone."""
        if cosines is None or self.vector_weight == 0.0:
            return by_words
        gaussian = np.exp(2 * self.gamma * (cosines - 1))
        mixed: Floats = (1 - self.vector_weight) * by_words + self.vector_weight * gaussian
        return mixed


@dataclass(frozen=True)
class CentredVectors:
    """Embeddings without the part that all of one model share."""

    rows: Floats
    """L2-normalised once centred, shape (n, dimensions)."""
    centre: Floats
    """Their mean before, shape (dimensions,)."""

    @classmethod
    def of(cls, vectors: Vectors) -> Self:
        """Centre raw vectors, shape (n, dimensions), by their mean."""
        centre = vectors.mean(axis=0)
        return cls(_centred(vectors, centre), centre)

    def cosines(self, vector: Vector) -> Floats:
        """Return the centred cosine of a raw vector with each row, shape (n,)."""
        found: Floats = self.rows @ _centred(vector[None, :], self.centre)[0]
        return found


def _centred(vectors: Vectors, centre: Floats) -> Floats:
    moved = vectors - centre
    return np.asarray(moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9), dtype=np.float32)


@dataclass(frozen=True)
class LinearModel:
    """A fitted scorer over n documents and t tags."""

    fitted: Fitted
    kernel: Kernel
    terms: TermWeights
    words: csr_array
    """tf-idf rows of the documents, shape (n, terms)."""
    vectors: CentredVectors | None
    """Their embeddings."""
    documents: Sequence[str]
    """Their ids."""
    tags: Sequence[str]
    """The ids of the tags that it knows."""
    weights: Floats
    """Dual coefficients, shape (n, t)."""
    inverse: Floats
    """Diagonal of (kernel + ridge)⁻¹, shape (n,)."""
    ridge: float

    @cached_property
    def known(self) -> frozenset[str]:
        """The tags that it can score."""
        return frozenset(self.tags)

    @cached_property
    def _row(self) -> dict[str, int]:
        return {content: row for row, content in enumerate(self.documents)}

    def scores(self, text: str, vector: Vector | None, content_id: str | None = None) -> Floats:
        """Score every tag for a content: about 1 where it is sure of it, about 0 where sure of the opposite.

        Args:
            text: of the content.
            vector: its embedding; None where the store has none.
            content_id: a document that it was fitted on is scored as if it had not been (leave-one-out, exact).

        Returns:
            Shape (t,).
        """
        query = self.terms.rows([text]).toarray()[0]
        cosines = None if self.vectors is None or vector is None else self.vectors.cosines(vector)
        found: Floats = self.kernel.mixed(self.words @ query, cosines) @ self.weights
        row = None if content_id is None else self._row.get(content_id)
        if row is not None:
            found = found + self.weights[row] * (self.ridge - 1 / self.inverse[row])
        return found

    def to_bytes(self) -> bytes:
        """Return the model as bytes, numbers halved to float16."""
        head = {
            "format": FORMAT,
            "fitted": self.fitted.model_dump(mode="json"),
            "vector_weight": self.kernel.vector_weight,
            "gamma": self.kernel.gamma,
            "ridge": self.ridge,
            "documents": list(self.documents),
            "tags": list(self.tags),
            "terms": list(self.terms.terms),
        }
        arrays = {
            "idf": self.terms.idf.astype(np.float16),
            "word_values": self.words.data.astype(np.float16),
            "word_columns": self.words.indices.astype(np.int32),
            "word_starts": self.words.indptr.astype(np.int32),
            "weights": self.weights.astype(np.float16),
            "inverse": self.inverse,
        }
        if self.vectors is not None:
            arrays["vectors"] = self.vectors.rows.astype(np.float16)
            arrays["centre"] = self.vectors.centre
        return packed(head, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what ``to_bytes`` wrote.

        Raises:
            StoreError: the bytes are no such model, or of another format.
        """
        try:
            return cls._read(*unpacked(data))
        except (ValueError, KeyError) as error:
            raise StoreError(
                f"the store's linear scorer cannot be read ({error}); fit it again with `llm4tag store fit`"
            ) from error

    @classmethod
    def _read(cls, head: Mapping[str, Any], arrays: Arrays) -> Self:
        if head["format"] != FORMAT:
            raise ValueError(f"format {head['format']}, this version reads {FORMAT}")
        starts = arrays["word_starts"]
        words = csr_array(
            (arrays["word_values"].astype(np.float32), arrays["word_columns"], starts),
            shape=(len(starts) - 1, len(head["terms"])),
        )
        vectors = None
        if "vectors" in arrays:
            vectors = CentredVectors(arrays["vectors"].astype(np.float32), arrays["centre"])
        return cls(
            fitted=Fitted.model_validate(head["fitted"]),
            kernel=Kernel(head["vector_weight"], head["gamma"]),
            terms=TermWeights(head["terms"], arrays["idf"].astype(np.float32)),
            words=words,
            vectors=vectors,
            documents=head["documents"],
            tags=head["tags"],
            weights=arrays["weights"].astype(np.float32),
            inverse=arrays["inverse"],
            ridge=head["ridge"],
        )
