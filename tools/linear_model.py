"""A linear one-vs-rest scorer: kernel ridge regression on words and embeddings, with one output for each tag.

The kernel is the tf-idf cosine of words and word pairs; with embeddings, mixed with a Gaussian of centred vectors.
The product of both makes a second set of outputs: less sure of the first few tags, it finds more of the rare.
It is fitted by ``llm4tag.training.linear_fit``; here it scores, and turns into bytes and back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array

from llm4tag.calibration.archive import Arrays, packed, reading, unpacked
from llm4tag.calibration.passport import FitNote
from llm4tag.models.embedder import Vector, Vectors
from llm4tag.schema.errors import Step
from llm4tag.tools.terms import Floats32, TermWeights

FORMAT = 2
_SPEAKERS = 10
_SHRINKAGE = 2.0
"""Documents that are added to a tag's count, so that a rare one's company is not taken for certain."""


@dataclass(frozen=True)
class Kernel:
    """How alike two contents are, from 0 to 1."""

    vector_weight: float
    """Share of the vectors; 0: words alone."""
    gamma: float
    """Of the Gaussian exp(-gamma · distance²) of unit vectors."""

    def gaussian(self, cosines: Floats32) -> Floats32:
        """Return the kernel of the vectors alone."""
        gaussian: Floats32 = np.exp(2 * self.gamma * (cosines - 1))
        return gaussian

    def mixed(self, by_words: Floats32, gaussian: Floats32 | None) -> Floats32:
        """Return the kernel of what words and vectors say; where there are no vectors, words alone."""
        if gaussian is None:
            return by_words
        mixed: Floats32 = (1 - self.vector_weight) * by_words + self.vector_weight * gaussian
        return mixed


@dataclass(frozen=True)
class Dual:
    """A ridge regression in one kernel, over n documents and t tags."""

    weights: Floats32
    """Dual coefficients, shape (n, t)."""
    inverse: Floats32
    """Diagonal of (kernel + ridge)⁻¹, shape (n,)."""

    def scores(self, kernel: Floats32, row: int | None, ridge: float) -> Floats32:
        """Score the tags, shape (t,).

        Args:
            kernel: of the content and each document, shape (n,).
            row: the content's own among the documents: it is scored as if it had not been there (exact).
            ridge: the penalty.
        """
        found: Floats32 = kernel @ self.weights
        if row is not None:
            found = found + self.weights[row] * (ridge - 1 / self.inverse[row])
        return found


@dataclass(frozen=True)
class CentredVectors:
    """Embeddings without the part that all of one model share."""

    rows: Floats32
    """L2-normalised once centred, shape (n, dimensions)."""
    centre: Floats32
    """Their mean before, shape (dimensions,)."""

    @classmethod
    def of(cls, vectors: Vectors) -> Self:
        """Centre raw vectors, shape (n, dimensions), by their mean."""
        centre = vectors.mean(axis=0)
        return cls(_centred(vectors, centre), centre)

    def cosines(self, vector: Vector) -> Floats32:
        """Return the centred cosine of a raw vector with each row, shape (n,)."""
        found: Floats32 = self.rows @ _centred(vector[None, :], self.centre)[0]
        return found


def _centred(vectors: Vectors, centre: Floats32) -> Floats32:
    moved = vectors - centre
    return np.asarray(moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9), dtype=np.float32)


@dataclass(frozen=True)
class Cooccurrence:
    """How often people gave two tags to one document."""

    together: csr_array
    """Documents with both, zero on the diagonal; shape (t, t)."""
    counts: Floats32
    """Documents with each, shape (t,)."""

    @classmethod
    def of(cls, labels: Floats32) -> Self:
        """Count over labels, 1 where a document has a tag, shape (n, t)."""
        sparse = csr_array(labels)
        together = csr_array(sparse.T @ sparse)
        together.setdiag(0)
        together.eliminate_zeros()
        return cls(together, labels.sum(axis=0))

    def company(self, scores: Floats32, without: Floats32 | None = None) -> tuple[Floats32, Floats32]:
        """Let the tags of the highest scores speak for those that go with them.

        Args:
            scores: of all tags, shape (t,).
            without: labels of documents that are not to count, shape (documents, t).

        Returns:
            For each tag the sum of score · P(tag | other) over the others, and its largest part; both shape (t,).
        """
        best = np.argsort(-scores, kind="stable")[:_SPEAKERS]
        together, counts = self.together[best].toarray(), self.counts[best]
        if without is not None:
            shared = without[:, best].T @ without
            shared[np.arange(len(best)), best] = 0
            together, counts = together - shared, counts - without[:, best].sum(axis=0)
        weights = np.clip(scores[best], 0, 1) / (counts + _SHRINKAGE)
        parts = weights[:, None] * together
        return parts.sum(axis=0, dtype=np.float32), parts.max(axis=0, initial=0.0).astype(np.float32)


@dataclass(frozen=True)
class TagScores:
    """What a linear model says of one content, a number a tag; all shape (t,)."""

    raw: Floats32
    """About 1 where it is sure of the tag, about 0 where sure of the opposite."""
    company: Floats32
    closest: Floats32
    """See ``Cooccurrence.company``."""
    wide: Floats32 | None = None
    """As ``raw``, by the product kernel; None where there are no vectors."""


@dataclass(frozen=True)
class LinearModel:
    """A fitted scorer over n documents and t tags."""

    fitted: FitNote
    kernel: Kernel
    terms: TermWeights
    words: csr_array
    """tf-idf rows of the documents, shape (n, terms)."""
    vectors: CentredVectors | None
    """Their embeddings."""
    documents: Sequence[str]
    """Their ids."""
    tags: Sequence[str]
    """The ids of the tags that it was fitted on."""
    mixed: Dual
    """By words and vectors added up."""
    product: Dual | None
    """By both multiplied; None where there are no vectors."""
    ridge: float
    cooccurrence: Cooccurrence

    @cached_property
    def seen(self) -> frozenset[str]:
        """The tags that it was fitted on; it can score no others."""
        return frozenset(self.tags)

    @cached_property
    def _row(self) -> dict[str, int]:
        return {content: row for row, content in enumerate(self.documents)}

    def scores(self, text: str, vector: Vector | None, content_id: str | None = None) -> TagScores:
        """Score every tag for a content.

        Args:
            text: of the content.
            vector: its embedding; None where the store has none.
            content_id: a document that it was fitted on is scored as if it had not been (leave-one-out, exact).
        """
        by_words = self.words @ self.terms.rows([text]).toarray()[0]
        row = None if content_id is None else self._row.get(content_id)
        if self.vectors is None or vector is None or self.product is None:
            raw, wide = self.mixed.scores(by_words, row, self.ridge), None
        else:
            gaussian = self.kernel.gaussian(self.vectors.cosines(vector))
            raw = self.mixed.scores(self.kernel.mixed(by_words, gaussian), row, self.ridge)
            wide = self.product.scores(by_words * gaussian, row, self.ridge)
        return TagScores(raw, *self.cooccurrence.company(raw), wide)

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
            "weights": self.mixed.weights.astype(np.float16),
            "inverse": self.mixed.inverse,
            "together_values": self.cooccurrence.together.data.astype(np.int32),
            "together_columns": self.cooccurrence.together.indices.astype(np.int32),
            "together_starts": self.cooccurrence.together.indptr.astype(np.int32),
            "counts": self.cooccurrence.counts.astype(np.int32),
        }
        if self.vectors is not None:
            arrays["vectors"] = self.vectors.rows.astype(np.float16)
            arrays["centre"] = self.vectors.centre
        if self.product is not None:
            arrays["product_weights"] = self.product.weights.astype(np.float16)
            arrays["product_inverse"] = self.product.inverse
        return packed(head, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what ``to_bytes`` wrote.

        Raises:
            StoreError: the bytes are no such model, or of another format.
        """
        with reading("linear scorer", Step.FIT_RECALL):
            return cls._read(*unpacked(data))

    @classmethod
    def _read(cls, head: Mapping[str, Any], arrays: Arrays) -> Self:
        if head["format"] != FORMAT:
            raise ValueError(f"format {head['format']}, this version reads {FORMAT}")
        words = _rows_of(arrays, "word", len(head["terms"]))
        vectors = None
        if "vectors" in arrays:
            vectors = CentredVectors(arrays["vectors"].astype(np.float32), arrays["centre"])
        product = None
        if "product_weights" in arrays:
            product = Dual(arrays["product_weights"].astype(np.float32), arrays["product_inverse"])
        return cls(
            fitted=FitNote.model_validate(head["fitted"]),
            kernel=Kernel(head["vector_weight"], head["gamma"]),
            terms=TermWeights(head["terms"], arrays["idf"].astype(np.float32)),
            words=words,
            vectors=vectors,
            documents=head["documents"],
            tags=head["tags"],
            mixed=Dual(arrays["weights"].astype(np.float32), arrays["inverse"]),
            product=product,
            ridge=head["ridge"],
            cooccurrence=Cooccurrence(
                _rows_of(arrays, "together", len(head["tags"])), arrays["counts"].astype(np.float32)
            ),
        )


def _rows_of(arrays: Arrays, name: str, columns: int) -> csr_array:
    starts = arrays[f"{name}_starts"]
    values = arrays[f"{name}_values"].astype(np.float32)
    return csr_array((values, arrays[f"{name}_columns"], starts), shape=(len(starts) - 1, columns))
