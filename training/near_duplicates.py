"""Near-duplicates in the history: a scorer that knows one of them seems to be better at the other than it is."""

import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from llm4tag.models.embedder import Vectors
from llm4tag.tools.terms import Floats32

SAME_WORDS = 0.6
"""tf-idf cosine from which two documents are near-duplicates."""
SAME_MEANING = 0.95
"""Cosine of raw embeddings from which two documents are near-duplicates."""
SAME_IN_ANOTHER_SCRIPT = 0.6
"""Cosine from which two documents in different scripts are taken for translations of each other, where each
embedding is centred by the mean of its script. On 217 Chinese translations 5 % have a lower cosine than .655; of
the best other documents half have a lower one than .461."""
_FEWEST_OF_A_SCRIPT = 20
_BLOCK = 512


def near_duplicates(
    texts: Sequence[str], words: csr_array, vectors: Vectors | None, rows: Sequence[int] | None = None
) -> dict[int, NDArray[np.int64]]:
    """Return for each of n documents the rows of its near-duplicates, its own row included, by its row.

    Translations are recognised only between languages in different scripts.

    Args:
        texts: texts of the documents.
        words: L2-normalised tf-idf, shape (n, terms).
        vectors: raw embeddings, L2-normalised, shape (n, dimensions).
        rows: the documents that are asked for; None: all.
    """
    found: dict[int, NDArray[np.int64]] = {}
    asked = np.arange(len(texts)) if rows is None else np.array(rows, dtype=np.int64)
    scripts = np.array([script_of(text) for text in texts])
    centred = None if vectors is None or len(set(scripts)) < 2 else _centred_by_script(vectors, scripts)
    columns = words.T.tocsr()
    for start in range(0, len(asked), _BLOCK):
        some = asked[start : start + _BLOCK]
        same = (words[some] @ columns).toarray() > SAME_WORDS
        if vectors is not None:
            same |= vectors[some] @ vectors.T > SAME_MEANING
        if centred is not None:
            others = scripts[some, None] != scripts
            same |= others & (centred[some] @ centred.T > SAME_IN_ANOTHER_SCRIPT)
        same[np.arange(len(some)), some] = True
        found.update((int(row), np.flatnonzero(alike)) for row, alike in zip(some, same, strict=True))
    return found


def script_of(text: str) -> str:
    """Return the script of most of a text's first letters (LATIN, CJK, …); empty where it has no letters."""
    letters = (unicodedata.name(char, "").partition(" ")[0] for char in text[:400] if char.isalpha())
    counts = Counter(letters)
    return counts.most_common(1)[0][0] if counts else ""


def _centred_by_script(vectors: Vectors, scripts: NDArray[np.str_]) -> Floats32:
    """Return embeddings minus the mean of their script (a rare script: minus the mean of all), L2-normalised."""
    moved = vectors - vectors.mean(axis=0)
    for script in set(scripts):
        own = scripts == script
        if own.sum() >= _FEWEST_OF_A_SCRIPT:
            moved[own] = vectors[own] - vectors[own].mean(axis=0)
    return np.asarray(moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9), dtype=np.float32)
