"""Parts of a text, and names found in it word for word."""

import pytest

from llm4tag.schema import Tag, Vocabulary
from llm4tag.tools.phrases import PhraseIndex, WordPlaces
from llm4tag.tools.text_parts import parts_of


def test_parts_are_runs_between_stop_words_and_windows() -> None:
    parts = parts_of("You will build web applications with Node.js and C++ for our large enterprise clients", 50)
    assert "build web applications" in parts
    assert "Node.js" in parts
    assert "C++" in parts
    assert "build web applications with Node.js" in parts
    assert all(len(part.split()) <= 5 or part in parts for part in parts)


def test_parts_keep_to_the_budget_and_cover_the_end() -> None:
    text = ". ".join(f"subject{number} object{number}" for number in range(200))
    parts = parts_of(text, 10)
    assert len(parts) == 10
    assert int(parts[-1].removeprefix("subject").split()[0]) > 150


def test_chinese_is_cut_into_windows() -> None:
    parts = parts_of("本程序从软件包列表中提取源代码，然后显示信息", 20)
    assert parts
    assert all(1 <= len(part) <= 8 for part in parts)
    assert "".join(parts) == "本程序从软件包列表中提取源代码然后显示信息"


def test_no_parts_of_nothing() -> None:
    assert parts_of("", 10) == []
    assert parts_of("the of and", 10) == []
    assert parts_of("some words here", 0) == []


VOCABULARY = Vocabulary(
    [
        Tag(id="net", name=".NET", aliases=("dotnet",)),
        Tag(id="cpp", name="C++"),
        Tag(id="ml", name="machine learning", aliases=("learning",)),
        Tag(id="beijing", name="北京大学"),
        Tag(id="group", name="programming", group=True),
        Tag(id="old", name="fortran", retired=True),
    ]
)


def test_names_are_found_word_for_word_whatever_their_case() -> None:
    found = PhraseIndex(VOCABULARY).find(
        "We teach Machine Learning, c++ and .NET; programming in fortran; 他在北京大学读书"
    )
    assert set(found) == {"ml", "cpp", "net", "beijing"}
    assert found["ml"].text == "machine learning", "the longest unit is the evidence"


def test_part_of_a_word_is_no_phrase() -> None:
    assert PhraseIndex(VOCABULARY).find("unlearning dotnets") == {}


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("learning machine", 1.0, 1.0),
        ("machines learn, and so does this machine", 0.1, 0.9),
        ("a machine that is not used for any learning", 0.1, 0.9),
        ("nothing of it", 0.0, 0.0),
    ],
)
def test_coverage_is_the_share_of_a_name_within_four_words(text: str, low: float, high: float) -> None:
    assert low <= PhraseIndex(VOCABULARY).coverage("machine learning", WordPlaces(text)) <= high


def test_rare_words_cover_more_of_a_name() -> None:
    index = PhraseIndex(VOCABULARY)
    rare, common = (index.coverage("machine learning", WordPlaces(word)) for word in ("machine", "learning"))
    assert rare > common, "learning occurs in two labels"
    assert index.coverage("", WordPlaces("text")) == 0
