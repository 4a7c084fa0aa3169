"""The words of a text, the same for every backend.

A backend that has its own tokeniser (Weaviate) gets the words joined by spaces and splits at white space only.
"""

import re
import unicodedata

# Scripts without spaces between words: kana, CJK ideographs with their extensions, hangul.
_CJK = (
    "\u3005-\u3007\u3040-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U000323af"
)
# Vowel signs and accents: \w does not match them, although words are written with them.
_MARKS = (
    "\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u0610-\u061a\u064b-\u065f\u0670"
    "\u0900-\u0963\u0966-\u0eff\u0f18-\u0fbc\u1000-\u1049\u1050-\u109f\u1780-\u17d3"
)
_JOINTS = r"[.:+#&/_\-]{1,3}"
_LONGEST_COMPOUND = 48
_MOST_PARTS = 6


def _patterns(word: str) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Return the patterns for one class of letters: of compounds, of the words in them, and of words like C++."""
    compound = rf"\.?{word}+(?:{_JOINTS}{word}+)*[+#]{{0,2}}"
    return (
        re.compile(rf"[{_CJK}]+|{compound}"),
        re.compile(rf"{word}+"),
        re.compile(rf"{word}+[+#]{{1,2}}(?!{word})"),
    )


_ASCII = _patterns("[0-9a-z]")
_UNICODE = _patterns(rf"(?:[^\W_{_CJK}]|[{_MARKS}])")
_IS_CJK = re.compile(rf"[{_CJK}]")


def tokens(text: str) -> list[str]:
    """Return the tokens of a text in their order, with repetitions.

    Words are NFKC-normalised and case-folded. A name with punctuation gives its words and also itself
    (``node.js``: node, js, node.js; ``C/C++``: c, c, c++, c/c++; ``.NET``: net, .net; ``admin::x``: admin, x,
    admin::x).
    A run of CJK characters gives its character bigrams; a single character gives itself.
    """
    if text.isascii():
        text = text.lower()
        compounds, words, signed = _ASCII
    else:
        text = unicodedata.normalize("NFKC", text).casefold()
        compounds, words, signed = _UNICODE
    found: list[str] = []
    for chunk in compounds.findall(text):
        if chunk.isalnum() and chunk.isascii():
            found.append(chunk)
        elif _IS_CJK.match(chunk):
            found.extend(chunk[at : at + 2] for at in range(max(1, len(chunk) - 1)))
        else:
            parts = words.findall(chunk)
            found.extend(parts)
            found.extend(word for word in signed.findall(chunk) if word != chunk)
            if parts != [chunk] and len(parts) <= _MOST_PARTS and len(chunk) <= _LONGEST_COMPOUND:
                found.append(chunk)
    return found


def segmented(text: str) -> str:
    """Return the tokens joined by spaces, for an engine that splits at white space."""
    return " ".join(tokens(text))
