"""Tokens: names with punctuation, scripts without spaces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm4tag.knowledge_store.word_tokens import segmented, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Hello, WORLD!", ["hello", "world"]),
        ("C++", ["c", "c++"]),
        ("C/C++, c#.", ["c", "c", "c++", "c/c++", "c", "c#"]),
        (".NET and asp.net", ["net", ".net", "and", "asp", "net", "asp.net"]),
        ("Node.js", ["node", "js", "node.js"]),
        ("admin::configuring", ["admin", "configuring", "admin::configuring"]),
        ("snake_case e-mail R&D", ["snake", "case", "snake_case", "e", "mail", "e-mail", "r", "d", "r&d"]),
        ("End of sentence. Next", ["end", "of", "sentence", "next"]),
        ("云计算", ["云计", "计算"]),
        ("猫 and 狗", ["猫", "and", "狗"]),
        ("Python编程", ["python", "编程"]),
        (
            "コンピューター・サイエンス",
            ["コン", "ンピ", "ピュ", "ュー", "ータ", "ター", "サイ", "イエ", "エン", "ンス"],
        ),
        ("Ｃ＋＋ ＡＢＣ", ["c", "c++", "abc"]),
        ("Straße CAFÉ cafe\u0301", ["strasse", "café", "café"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("😀 — …", []),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_long_chains_give_their_words_only() -> None:
    assert tokens("a.b.c.d.e.f.g") == list("abcdefg")
    word = "x" * 60
    assert tokens(f"{word}.y") == [word, "y"]
    assert tokens(word) == [word]


@given(st.text())
def test_tokens_survive_splitting_at_white_space(text: str) -> None:
    found = tokens(text)
    assert segmented(text).split() == found
    assert all(found)


@given(st.text(alphabet="aZ1.+#:-_/ C"))
def test_ascii_and_unicode_paths_agree(text: str) -> None:
    assert tokens(text) == [token for token in tokens(f"{text} é") if token != "é"]
