"""Words of an old dialect stay out of names, docstrings, comments, messages and docs."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DIALECT = (
    *(
        "anew",
        "mend",
        "mends",
        "mended",
        "told",
        "beside",
        "besides",
        "kept",
        "stand",
        "stands",
        "likewise",
        "goes by",
    ),
    "so many",
)
"""Words for which plain modern English has a better one: again, repair, said, next to, also …"""
PLACES = (
    *("schema", "models", "prompts", "knowledge_store", "calibration", "tools", "graphs", "training", "llm4tag"),
    *("benchmarks", "scripts", "tests", "docs", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"),
)
"""The folders and files that are scanned; templates of prompts are not, because they must not change."""
_LISTS = {"test_words.py"}
"""Tests that list the words."""
# An underscore ends a word, so names are found too; a phrase may go over the end of a line.
_ANY = "|".join(DIALECT).replace(" ", r"[\s#]+")
_FOUND = re.compile(rf"(?<![a-z])(?:{_ANY})(?![a-z])", re.IGNORECASE)


def scanned_files(place: Path) -> Iterator[Path]:
    """Yield the Python files and Markdown files of a folder, or the file itself; not the lists of words."""
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    return (one for one in files if one.is_file() and one.suffix in {"", ".py", ".md"} and one.name not in _LISTS)


@pytest.mark.parametrize("place", PLACES)
def test_plain_modern_english(place: str) -> None:
    found = []
    for file in scanned_files(ROOT / place):
        text = file.read_text(encoding="utf-8")
        for match in _FOUND.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{file.relative_to(ROOT)}:{line}: {match.group()!r}")
    assert not found, "\n".join(found)


def test_the_places_are_there() -> None:
    assert [place for place in PLACES if not any(scanned_files(ROOT / place))] == []


@pytest.mark.parametrize("text", ["it was told", "_told = 1", "TOLD", "mend=", "goes\n    # by", "so\nmany"])
def test_the_words_are_found_in_names_and_over_lines(text: str) -> None:
    assert _FOUND.search(text)


@pytest.mark.parametrize("text", ["recommended", "mending", "manewer", "amend"])
def test_other_words_are_not_found(text: str) -> None:
    assert not _FOUND.search(text)
