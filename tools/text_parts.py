"""Parts of a content, each searched by its own vector.

Tag names are short, and the vector of a whole sentence hides the few words that name a tag.
"""

import re

# Function words end a part. Short on purpose: a missing one costs little, and other languages have none here.
_STOP_TEXT = """
a about across all also an and any are as at be been but by can do for from had has have he her his how if in into
is it its more most no not of on or other our over per she so such than that the their them then there these they
this those to use using via was we were what when where which who will with within would you your
"""
_STOP_WORDS = frozenset(_STOP_TEXT.split())
_WORD = re.compile(r"[^\W_](?:[\w.+#/'-]*[\w+#])?", re.UNICODE)
_CJK_RUN = re.compile(r"[぀-ヿ㐀-䶿一-鿿豈-﫿가-힯]+")
_BREAK = re.compile(r"[\n!?;,()\[\]{}\"。！？；：，、（）《》「」]+|[.:]+(?=\s|$)")
_WINDOW = 5
_CJK_WINDOW = 8


def parts_of(text: str, budget: int) -> list[str]:
    """Return up to ``budget`` different parts: runs between stop words, then windows of five words.

    Chinese, Japanese and Korean runs are cut into windows of eight characters. When there are more parts than
    the budget allows, they are taken evenly over the text, so that its end counts like its beginning.
    """
    runs: list[str] = []
    windows: list[str] = []
    for clause in _BREAK.split(text):
        for run in _CJK_RUN.findall(clause):
            runs.extend(run[start : start + _CJK_WINDOW] for start in range(0, len(run), _CJK_WINDOW))
        words = _WORD.findall(_CJK_RUN.sub(" ", clause))
        runs.extend(_between_stop_words(words))
        if len(words) > _WINDOW:
            windows.extend(" ".join(words[i : i + _WINDOW]) for i in range(len(words) - _WINDOW + 1))
    found = list(dict.fromkeys(part for part in (*runs, *windows) if part))
    if len(found) <= budget:
        return found
    return [found[i * len(found) // budget] for i in range(budget)]


def _between_stop_words(words: list[str]) -> list[str]:
    runs: list[str] = []
    run: list[str] = []
    for word in words:
        if word.casefold() in _STOP_WORDS:
            runs.append(" ".join(run))
            run = []
        else:
            run.append(word)
    runs.append(" ".join(run))
    return runs
