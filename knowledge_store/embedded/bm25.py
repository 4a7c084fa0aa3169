"""BM25 in memory, by the formula of Weaviate 1.39's BlockMax WAND, over segments that never change.

    score(d) = sum over properties p, query terms t of
        boost(p) * repeats(t) * idf(t) * tf / (tf + k1 * (1 - b + b * length(d, p) / average(p)))

``average(p)`` is the mean length of the documents that have a token in p. All searched properties share one idf:
``idf(t) = ln(1 + (N - n + 0.5) / (n + 0.5))``, where n is the mean, rounded down, of t's document frequencies in
those searched properties that hold it (adapters/repos/db/inverted/bm25_searcher_block.go).
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from llm4tag.knowledge_store.word_tokens import tokens

K1 = 1.2
B = 0.75

Ints = NDArray[np.int32]
Mask = NDArray[np.bool_]


class Terms(defaultdict[str, int]):
    """The number of each term; a new term gets the next number, and none is ever removed."""

    def __init__(self) -> None:
        super().__init__(self.__len__)


@dataclass(frozen=True, slots=True)
class Postings:
    """The occurrences of terms in one property, sorted by term, then by slot."""

    terms: Ints
    """Shape (t,): the terms, ascending."""
    starts: NDArray[np.int64]
    """Shape (t + 1,): where the occurrences of each term begin, and the end of the last ones."""
    slots: Ints
    """Shape (p,): the slot of the document that holds the term."""
    frequencies: Ints
    """Shape (p,): how often the document holds it."""

    @classmethod
    def of(cls, terms: Ints, slots: Ints, frequencies: Ints) -> Self:
        """Build postings from occurrences in any order; each pair of term and slot occurs at most once."""
        order = np.lexsort((slots, terms))
        distinct, starts = np.unique(terms[order], return_index=True)
        bounds = np.append(starts, len(terms)).astype(np.int64)
        return cls(distinct.astype(np.int32), bounds, slots[order], frequencies[order])

    def expanded_terms(self) -> Ints:
        """Return the term of every occurrence."""
        return np.repeat(self.terms, np.diff(self.starts))

    def find(self, wanted: Ints) -> tuple[NDArray[np.int64], Ints]:
        """Return the positions of the wanted terms' occurrences, and the index of the wanted term of each."""
        at = np.searchsorted(self.terms, wanted)
        present = np.flatnonzero(at < len(self.terms))
        present = present[self.terms[at[present]] == wanted[present]]
        starts, ends = self.starts[at[present]], self.starts[at[present] + 1]
        counts = ends - starts
        before = np.cumsum(counts) - counts
        positions = np.arange(counts.sum(), dtype=np.int64) + np.repeat(starts - before, counts)
        return positions, np.repeat(present, counts).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Segment:
    """The postings of some documents in all properties. Deleted documents stay until segments are compacted."""

    documents: int
    properties: tuple[Postings, ...]

    @classmethod
    def build(cls, documents: Sequence[tuple[str, ...]], first_slot: int, terms: Terms) -> tuple[Self, Ints]:
        """Index documents in consecutive slots.

        Args:
            documents: each has one text for every property.
            first_slot: slot of the first document.
            terms: numbers of the terms; new terms are added.

        Returns:
            The segment, and the lengths in tokens, shape (documents, properties).
        """
        width = len(documents[0])
        lengths = np.zeros((len(documents), width), dtype=np.int32)
        properties = []
        for column in range(width):
            numbers: list[int] = []
            for row, texts in enumerate(documents):
                found = tokens(texts[column])
                lengths[row, column] = len(found)
                numbers.extend([terms[token] for token in found])
            rows = np.repeat(np.arange(len(documents), dtype=np.int64), lengths[:, column])
            pairs = np.array(numbers, dtype=np.int64) * len(documents) + rows
            distinct, frequencies = np.unique(pairs, return_counts=True)
            term, row_of = np.divmod(distinct, len(documents))
            slots = (row_of + first_slot).astype(np.int32)
            properties.append(Postings.of(term.astype(np.int32), slots, frequencies.astype(np.int32)))
        return cls(len(documents), tuple(properties)), lengths

    @classmethod
    def merge(cls, segments: Sequence["Segment"], moved: Ints | None = None) -> Self:
        """Join segments; ``moved`` has the new slot of every old one, -1 for a deleted document."""
        properties = []
        for parts in zip(*(segment.properties for segment in segments), strict=True):
            term = np.concatenate([part.expanded_terms() for part in parts])
            slots = np.concatenate([part.slots for part in parts])
            frequencies = np.concatenate([part.frequencies for part in parts])
            if moved is not None:
                slots = moved[slots]
                alive = slots >= 0
                term, slots, frequencies = term[alive], slots[alive], frequencies[alive]
            properties.append(Postings.of(term, slots, frequencies))
        documents = sum(segment.documents for segment in segments) if moved is None else int((moved >= 0).sum())
        return cls(documents, tuple(properties))


def appended(segments: tuple[Segment, ...], new: Segment) -> tuple[Segment, ...]:
    """Add a segment and join neighbours of similar size: segments stay few, and no document is copied often."""
    stack = [*segments, new]
    while len(stack) > 1 and stack[-2].documents < 4 * stack[-1].documents:
        last = stack.pop()
        stack[-1] = Segment.merge([stack[-1], last])
    return tuple(stack)


@dataclass(frozen=True, slots=True)
class Corpus:
    """The data that a keyword search reads: a snapshot that later writes do not change."""

    terms: Mapping[str, int]
    segments: tuple[Segment, ...]
    alive: Mask
    """Shape (slots,): whether the slot's document exists."""
    lengths: Ints
    """Shape (slots, properties), in tokens."""
    documents: int
    averages: tuple[float, ...]
    """The mean length of each property, in tokens."""

    @classmethod
    def of(cls, terms: Terms, segments: tuple[Segment, ...], alive: Mask, lengths: Ints) -> Self:
        """Make a snapshot; its statistics leave out deleted documents."""
        averages = []
        for column in lengths.T:
            filled = column[alive & (column > 0)]
            averages.append(float(filled.mean()) if len(filled) else 0.0)
        return cls(terms, segments, alive, lengths, int(alive.sum()), tuple(averages))

    def scores(self, query: str, boosts: Sequence[float | None]) -> NDArray[np.float64]:
        """Return the score of every slot, 0 where nothing matches; a boost of None leaves a property out."""
        totals = np.zeros(len(self.alive))
        repeats = Counter(number for token in tokens(query) if (number := self.terms.get(token)) is not None)
        if not repeats:
            return totals
        wanted = np.fromiter(repeats.keys(), dtype=np.int32, count=len(repeats))
        searched = [column for column, boost in enumerate(boosts) if boost is not None]
        found = {column: self._occurrences(column, wanted) for column in searched}
        weights = np.fromiter(repeats.values(), dtype=np.float64, count=len(repeats))
        weights *= self._idf([np.bincount(which, minlength=len(wanted)) for which, _, _ in found.values()])
        for column, (which, slots, frequencies) in found.items():
            if len(slots):
                relative = self.lengths[slots, column] / self.averages[column]
                parts = frequencies / (frequencies + K1 * (1.0 - B + B * relative))
                parts *= weights[which] * (boosts[column] or 0.0)
                totals += np.bincount(slots, weights=parts, minlength=len(totals))
        return totals

    def _occurrences(self, column: int, wanted: Ints) -> tuple[Ints, Ints, Ints]:
        """Return the wanted term, slot and frequency of every occurrence in documents that exist."""
        parts = []
        for segment in self.segments:
            postings = segment.properties[column]
            positions, which = postings.find(wanted)
            slots = postings.slots[positions]
            living = self.alive[slots]
            parts.append((which[living], slots[living], postings.frequencies[positions][living]))
        if not parts:
            nothing = np.zeros(0, dtype=np.int32)
            return nothing, nothing, nothing
        which, slots, frequencies = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return which, slots, frequencies

    def _idf(self, counts: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
        by_property = np.stack(counts)
        holding = np.maximum((by_property > 0).sum(axis=0), 1)
        n = (by_property.sum(axis=0) // holding).astype(np.float64)
        idf: NDArray[np.float64] = np.log(1.0 + (self.documents - n + 0.5) / (n + 0.5))
        return idf
