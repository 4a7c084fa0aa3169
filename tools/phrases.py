"""Names and aliases that stand in a content word for word."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from knowledge_store.tokens import tokens
from schema import Vocabulary


@dataclass(frozen=True, slots=True)
class Unit:
    """The name or one alias of a tag, in words."""

    tag: str
    text: str
    kind: Literal["name", "alias"]
    words: tuple[str, ...]


class PhraseIndex:
    """Finds the units of a vocabulary in a text.

    Args:
        vocabulary: only its assignable tags are looked for.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.version = vocabulary.version
        self._by_first: dict[str, list[Unit]] = {}
        for tag in vocabulary.values():
            if tag.assignable:
                for unit in _units(tag.id, tag.name, tag.aliases):
                    self._by_first.setdefault(unit.words[0], []).append(unit)

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
