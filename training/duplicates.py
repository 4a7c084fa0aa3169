"""Near-duplicates in history: what they say of each other flatters every scorer that sees both."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from models.embedding import Vectors
from tools.linear_model import Floats

SAME_WORDS = 0.6
"""tf-idf cosine from which two documents are near-duplicates."""
SAME_MEANING = 0.95
"""Cosine of their raw embeddings from which they are."""
_BLOCK = 512


def products(words: csr_array) -> Iterator[tuple[slice, Floats]]:
    """Yield the products of some rows with all, shape (some, n), until all have had their turn."""
    count = words.shape[0]
    columns = words.T.tocsr()
    for start in range(0, count, _BLOCK):
        rows = slice(start, min(count, start + _BLOCK))
        yield rows, (words[rows] @ columns).toarray()


def near_duplicates(words: csr_array, vectors: Vectors | None) -> list[NDArray[np.int64]]:
    """Return for each of n documents the rows of those that are nearly the same, its own included.

    Args:
        words: L2-normalised tf-idf, shape (n, terms).
        vectors: raw embeddings, L2-normalised, shape (n, dimensions).
    """
    found: list[NDArray[np.int64]] = []
    for rows, by_words in products(words):
        same = by_words > SAME_WORDS
        if vectors is not None:
            same |= vectors[rows] @ vectors.T > SAME_MEANING
        same[np.arange(len(same)), np.arange(rows.start, rows.stop)] = True
        found.extend(np.flatnonzero(row) for row in same)
    return found
