"""Near-duplicates and translations in history."""

import numpy as np
import pytest

from llm4tag.tools.terms import TermWeights
from llm4tag.training.near_duplicates import near_duplicates, script_of

TEXTS = [f"alpha{n} beta{n} gamma{n} shared words" for n in range(30)] + ["字" * (n + 1) for n in range(30)]


def rows_of(texts: list[str]) -> list[list[int]]:
    words = TermWeights.fit(texts, fewest=1).rows(texts)
    found = near_duplicates(texts, words, None)
    return [list(found[row]) for row in range(len(texts))]


def test_near_duplicates_share_their_words() -> None:
    texts = ["play chess on a board", "chess on a board, play", "read mail", "", ""]
    assert rows_of(texts) == [[0, 1], [0, 1], [2], [3], [4]]


def test_a_translation_is_known_by_its_place_among_its_script() -> None:
    random = np.random.default_rng(0)
    meaning = random.standard_normal((30, 64))
    languages = 5 * random.standard_normal((2, 64))
    raw = np.concatenate([meaning + languages[0], meaning + 0.3 * random.standard_normal((30, 64)) + languages[1]])
    vectors = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    words = TermWeights.fit(TEXTS, fewest=1).rows(TEXTS)
    groups = near_duplicates(TEXTS, words, vectors)
    assert all(30 + n in groups[n] for n in range(30))
    assert all(n in groups[30 + n] for n in range(30))
    others = [len([row for row in groups[n] if row >= 30]) for n in range(30)]
    assert others == [1] * 30


@pytest.mark.parametrize(
    ("text", "script"),
    [("apt: 显示源代码软件包信息", "CJK"), ("hello 世界", "LATIN"), ("Привет", "CYRILLIC"), ("12 +", "")],
)
def test_script_is_that_of_most_letters(text: str, script: str) -> None:
    assert script_of(text) == script
