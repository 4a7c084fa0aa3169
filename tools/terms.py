"""Terms of a text, weighted by tf-idf, which the linear scorer reads: words and word pairs, and parts of words."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from llm4tag.knowledge_store.word_tokens import tokens

Floats32 = NDArray[np.float32]

_FIRST_LINE = 200
"""Characters of a first line that are read: a text without line breaks may be one line."""
_BEGINNING = 24
"""Characters at the beginning of a text; often a name, or the first words of a title."""
_SHORTEST, _LONGEST = 2, 5


def terms_of(text: str) -> list[str]:
    """Return the tokens of a text and every two that follow each other, repeated ones included."""
    words = tokens(text)
    return [*words, *(f"{first} {second}" for first, second in itertools.pairwise(words))]


def terms_of_first_line(text: str) -> list[str]:
    """Return the terms of a text's first line, which often is its title."""
    return terms_of(_first_line(text))


def letters_of_beginning(text: str) -> list[str]:
    """Return the runs of two to five characters at the beginning of a text, repeated ones included."""
    start = f" {' '.join(_first_line(text).lower().split())[:_BEGINNING]} "
    sizes = range(_SHORTEST, _LONGEST + 1)
    return [start[place : place + size] for size in sizes for place in range(len(start) - size + 1)]


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:_FIRST_LINE]


class TermWeights:
    """The terms that count, and how much each weighs.

    Args:
        terms: each once.
        idf: of each, shape (len(terms),).
        read: returns the terms of a text, repeated ones included.
    """

    # Not scikit-learn's vectoriser: importing it takes 1.8 s, a tagging of one content a quarter.

    def __init__(self, terms: Sequence[str], idf: Floats32, read: Callable[[str], list[str]] = terms_of) -> None:
        self.terms = terms
        self.idf = idf
        self._read = read
        self._column = {term: column for column, term in enumerate(terms)}

    @classmethod
    def fit(cls, texts: Iterable[str], fewest: int = 2, read: Callable[[str], list[str]] = terms_of) -> Self:
        """Take the terms that occur in at least ``fewest`` texts; idf = ln((1 + texts) / (1 + with it)) + 1."""
        counts: Counter[str] = Counter()
        number = 0
        for text in texts:
            counts.update(set(read(text)))
            number += 1
        terms = sorted(term for term, count in counts.items() if count >= fewest)
        found = np.array([counts[term] for term in terms], dtype=np.float64)
        return cls(terms, (np.log((1 + number) / (1 + found)) + 1).astype(np.float32), read)

    def rows(self, texts: Sequence[str]) -> csr_array:
        """Return a row for each text: (1 + ln count) · idf, L2-normalised; shape (len(texts), len(terms))."""
        starts, columns, values = [0], [], []
        for text in texts:
            counts = Counter(column for term in self._read(text) if (column := self._column.get(term)) is not None)
            at = sorted(counts)
            weights = (1 + np.log([counts[column] for column in at])) * self.idf[at]
            columns.extend(at)
            values.append(weights / (np.linalg.norm(weights) or 1.0))
            starts.append(len(columns))
        data = np.concatenate([np.zeros(0), *values]).astype(np.float32)
        shape = (len(texts), len(self.terms))
        return csr_array((data, np.array(columns, dtype=np.int32), np.array(starts, dtype=np.int32)), shape=shape)
