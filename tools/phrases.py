"""Phrases: names and aliases that occur in a content word for word, or nearly so."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from llm4tag.knowledge_store.word_tokens import tokens
from llm4tag.schema import Vocabulary


@dataclass(frozen=True, slots=True)
class Unit:
    """The name or one alias of a tag, in words."""

    tag: str
    text: str
    kind: Literal["name", "alias"]
    words: tuple[str, ...]


_WINDOW = 4
"""The number of words within which most of a name must occur to speak for its tag."""


class WordPlaces:
    """The places of each word in a text."""

    def __init__(self, text: str) -> None:
        self.of: dict[str, list[int]] = {}
        for place, word in enumerate(tokens(text)):
            self.of.setdefault(word, []).append(place)


class PhraseIndex:
    """Finds the units of a vocabulary in a text.

    Args:
        vocabulary: only its assignable tags are looked for.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.version = vocabulary.version
        self._by_first: dict[str, list[Unit]] = {}
        self._units = 0
        self._units_with: Counter[str] = Counter()
        for tag in vocabulary.values():
            if tag.assignable:
                for unit in _units(tag.id, tag.name, tag.aliases):
                    self._by_first.setdefault(unit.words[0], []).append(unit)
                    self._units += 1
                    self._units_with.update(set(unit.words))

    def coverage(self, label: str, places: WordPlaces) -> float:
        """Return how much of a name or alias occurs within four words of a text; rare words count more.

        Args:
            label: the name or alias.
            places: of the text's words.

        Returns:
            From 0 to 1: the share of the label's summed idf, over all names and aliases, that the best window has.
        """
        words = set(tokens(label))
        weight = {word: math.log(1 + self._units / (1 + self._units_with[word])) for word in words}
        total = sum(weight.values())
        occurrences = sorted((place, word) for word in words for place in places.of.get(word, ()))
        best = 0.0
        for number, (start, _) in enumerate(occurrences):
            near = {word for place, word in occurrences[number : number + _WINDOW] if place < start + _WINDOW}
            best = max(best, sum(weight[word] for word in near))
        return best / total if total else 0.0

    def find(self, text: str) -> dict[str, Unit]:
        """Return for each tag that is named in the text its longest unit there."""
        words = tuple(tokens(text))
        found: dict[str, Unit] = {}
        for start, word in enumerate(words):
            for unit in self._by_first.get(word, ()):
                if words[start : start + len(unit.words)] == unit.words:
                    best = found.get(unit.tag)
                    if best is None or len(unit.text) > len(best.text):
                        found[unit.tag] = unit
        return found


def _units(tag: str, name: str, aliases: Iterable[str]) -> Iterable[Unit]:
    labels: list[tuple[str, Literal["name", "alias"]]] = [(name, "name"), *((alias, "alias") for alias in aliases)]
    for text, kind in labels:
        words = tuple(tokens(text))
        if words:
            yield Unit(tag, text, kind, words)
