"""What a store's history and vocabulary say of its tags, by which evidence is weighed."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from llm4tag.schema import Vocabulary

USUAL_TAGS = 2.5
"""The number of tags of a content that is expected where history says nothing yet."""
_GROWN = 0.2
"""How often a tag that history lacks is expected to be a new one, and as frequent as others."""
_USUAL_WEIGHT = 2.0
"""How many contents of history that expectation counts for."""


@dataclass(frozen=True)
class HistoryFacts:
    """How often people gave each tag, and which tags the linear scorer knows."""

    contents: int = 0
    """The number of contents that people tagged."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """The number of contents to which people gave each tag, by tag id; a tag that is missing has none."""
    scored: frozenset[str] = frozenset()
    """The tags that the linear scorer was fitted on; empty where it has no part."""
    parents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The parents of each tag that has any, by tag id."""
    tags: int = 0
    """The number of assignable tags of the vocabulary."""

    @classmethod
    def of(
        cls, vocabulary: Vocabulary, contents: int, counts: Mapping[str, int], scored: frozenset[str]
    ) -> "HistoryFacts":
        """Return the facts of a store with that vocabulary."""
        given = {tag: count for tag, count in counts.items() if count > 0 and tag in vocabulary.assignable}
        return cls(contents, given, scored, parents_in(vocabulary), len(vocabulary.assignable))

    @cached_property
    def assignments(self) -> int:
        """The number of all assignments."""
        return sum(self.counts.values())

    @cached_property
    def once(self) -> int:
        """The number of tags that were given once."""
        return sum(count == 1 for count in self.counts.values())

    @property
    def tags_a_content(self) -> float:
        """The average number of tags of a content, drawn towards ``USUAL_TAGS`` where history is small."""
        return (self.assignments + USUAL_TAGS * _USUAL_WEIGHT) / (self.contents + _USUAL_WEIGHT)

    @property
    def novelty(self) -> float:
        """The share of the next assignments whose tag was never given before, from 0 to 1 (Good and Turing).

        It is the share of the assignments so far whose tag was given once; 1 without history. A vocabulary that
        has grown has tags that history could not give, so it is at least a part of the share of tags without any.
        """
        given = (self.once + 1.0) / (self.assignments + 1.0)
        lacking = (self.tags - len(self.counts)) / self.tags if self.tags else 0.0
        return max(given, _GROWN * lacking)

    def groups(self, tags: Sequence[str]) -> NDArray[np.int64]:
        """Return for each tag 0 where history has none of it, 2 where the linear scorer knows it, else 1."""
        return np.array(
            [0 if not self.counts.get(tag) else 2 if tag in self.scored else 1 for tag in tags], dtype=np.int64
        )

    def offsets(self, groups: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the log odds that each tag starts from: the more tags a content has, the more are right."""
        known = math.log(self.tags_a_content)
        return np.where(groups > 0, known, known + math.log(self.novelty))

    def without(self, given: Iterable[Sequence[str]]) -> "HistoryFacts":
        """Return the facts as if some contents were not there.

        Args:
            given: the tags of each of these contents.
        """
        counts = dict(self.counts)
        removed = 0
        for tags in given:
            removed += 1
            for tag in tags:
                counts[tag] = counts.get(tag, 0) - 1
        left = {tag: count for tag, count in counts.items() if count > 0}
        return replace(self, contents=max(0, self.contents - removed), counts=left)


def parents_in(vocabulary: Vocabulary) -> dict[str, tuple[str, ...]]:
    """Return the parents of each tag that has any."""
    return {tag.id: tag.parents for tag in vocabulary.values() if tag.parents}
