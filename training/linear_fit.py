"""The fit of the linear scorer, which can also score a document as if it and its near-duplicates were unknown."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.sparse import csr_array

from llm4tag.calibration.passport import FitNote
from llm4tag.tools.linear_model import CentredVectors, Cooccurrence, Dual, Kernel, LinearModel, TagScores
from llm4tag.tools.terms import Floats32, TermWeights
from llm4tag.training.near_duplicates import near_duplicates, products
from llm4tag.training.tagged_history import History

KERNEL = Kernel(vector_weight=0.6, gamma=1.0)
RIDGE = 0.3
_MOST_WEIGHTS = 80_000_000
"""Most documents times tags; where there are more, the rarest tags are left to the other paths."""


@dataclass(frozen=True)
class LinearFit:
    """A fitted scorer, with the matrices that score its own documents as if it did not know them."""

    model: LinearModel
    labels: Floats32
    """1 where a document has a tag, else 0; shape (n, t)."""
    mixed: Floats32
    """(kernel + ridge)⁻¹ of the model's mixed kernel, shape (n, n)."""
    product: Floats32 | None
    """(kernel + ridge)⁻¹ of the product kernel, shape (n, n); None where there are no vectors."""
    duplicates: list[NDArray[np.int64]]
    """For each document the rows of its near-duplicates, its own row included."""

    def held_out(self, row: int) -> TagScores:
        """Return the scores of a document by the model that would be fitted without it and its near-duplicates.

        They are exact, and nothing is fitted again: for a linear smoother they are
        y - ((inverse_GG)⁻¹ · weights_G) over the group G of near-duplicates.
        """
        group = self.duplicates[row]
        raw = self._held_out(row, group, self.mixed, self.model.mixed)
        wide = None
        if self.product is not None and self.model.product is not None:
            wide = self._held_out(row, group, self.product, self.model.product)
        return TagScores(raw, *self.model.cooccurrence.company(raw, without=self.labels[group]), wide)

    def _held_out(self, row: int, group: NDArray[np.int64], inverse: Floats32, dual: Dual) -> Floats32:
        unexplained = linalg.solve(inverse[np.ix_(group, group)], dual.weights[group], assume_a="pos")
        found: Floats32 = self.labels[row] - unexplained[np.flatnonzero(group == row)[0]].astype(np.float32)
        return found


def fit_linear(history: History, fitted: FitNote, kernel: Kernel = KERNEL, ridge: float = RIDGE) -> LinearFit:
    """Fit the linear scorer on all documents, in n³ steps (9,272 documents take a minute on two cores).

    Args:
        history: the documents.
        fitted: the record of the fit that the model contains.
        kernel: how words and vectors are mixed; without vectors the words are used alone.
        ridge: the penalty.
    """
    terms = TermWeights.fit(history.texts)
    words = terms.rows(history.texts)
    tags = frequent_tags(history)
    labels = labels_of(history, tags)
    vectors = None if history.vectors is None else CentredVectors.of(history.vectors)
    duplicates = near_duplicates(history.texts, words, history.vectors)
    mixed = _inverse(_kernel_matrix(words, vectors, kernel), ridge)
    product = None if vectors is None else _inverse(_kernel_matrix(words, vectors, kernel, product=True), ridge)
    model = LinearModel(
        fitted=fitted,
        kernel=kernel,
        terms=terms,
        words=words,
        vectors=vectors,
        documents=history.ids,
        tags=tags,
        mixed=_dual(mixed, labels),
        product=None if product is None else _dual(product, labels),
        ridge=ridge,
        cooccurrence=Cooccurrence.of(labels),
    )
    return LinearFit(model, labels, mixed, product, duplicates)


def frequent_tags(history: History) -> list[str]:
    """Return the most frequent tags of the documents in falling order, as many as the model's size allows."""
    counts: dict[str, int] = {}
    for given in history.tags:
        for tag in given:
            counts[tag] = counts.get(tag, 0) + 1
    ordered = sorted(counts, key=lambda tag: (-counts[tag], tag))
    return ordered[: _MOST_WEIGHTS // max(1, len(history))]


def labels_of(history: History, tags: list[str]) -> Floats32:
    """Return a matrix that is 1 where a document has a tag, else 0; shape (n, t)."""
    column = {tag: number for number, tag in enumerate(tags)}
    labels = np.zeros((len(history), len(tags)), dtype=np.float32)
    for row, given in enumerate(history.tags):
        labels[row, [column[tag] for tag in given if tag in column]] = 1.0
    return labels


def _dual(inverse: Floats32, labels: Floats32) -> Dual:
    return Dual(inverse @ labels, np.diagonal(inverse).copy())


def _kernel_matrix(
    words: csr_array, vectors: CentredVectors | None, kernel: Kernel, *, product: bool = False
) -> Floats32:
    """Return the kernel of all pairs of documents, shape (n, n)."""
    count = words.shape[0]
    matrix = np.empty((count, count), dtype=np.float32)
    for rows, by_words in products(words):
        gaussian = None if vectors is None else kernel.gaussian(vectors.rows[rows] @ vectors.rows.T)
        if product and gaussian is not None:
            matrix[rows] = by_words * gaussian
        else:
            matrix[rows] = kernel.mixed(by_words, gaussian)
    return matrix


def _inverse(matrix: Floats32, ridge: float) -> Floats32:
    """Return (matrix + ridge)⁻¹ of a kernel matrix; the matrix is overwritten, which saves memory."""
    matrix[np.diag_indices_from(matrix)] += ridge
    factor, _ = linalg.cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    inverse, failed = linalg.lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed:
        raise ValueError("the kernel matrix is not positive definite")
    # LAPACK fills one triangle. Its mirror is copied row by row, which needs no second matrix.
    for row in range(1, len(inverse)):
        inverse[:row, row] = inverse[row, :row]
    symmetric: Floats32 = inverse
    return symmetric
