"""Profiles: what they put into prompts, and what is refused."""

from pathlib import Path

import pytest

from llm4tag.prompts import (
    PromptContext,
    generation_messages,
    judgement_messages,
    listwise_messages,
    profile_names,
    profile_source,
    read_profile,
    rewriting_messages,
)
from llm4tag.schema import Content, UsageError

CONTENT = Content(id="c", text="Some text.")


def test_each_kind_comes_in_both_languages() -> None:
    kinds = {"general", "news", "advertisement", "query", "catalogue"}
    assert set(profile_names()) == kinds | {f"{kind}-zh" for kind in kinds}
    for name in profile_names():
        assert read_profile(name).words.language == ("zh" if name.endswith("-zh") else "en")


@pytest.mark.parametrize("name", profile_names())
def test_a_profile_stands_in_the_rules_and_the_questions(name: str) -> None:
    words = read_profile(name).words
    context = PromptContext(content=CONTENT, words=words)
    system, question = (message.content for message in judgement_messages(context, "Mail"))
    assert words.item in system
    assert words.guidance in system
    assert "Some text." not in system
    asked = [question, *(ask(context, ["Mail"])[1].content for ask in (generation_messages, listwise_messages))]
    for text in asked:
        assert words.fits in text
        assert "Mail" in text
    assert "<content>Some text.</content>" in rewriting_messages(context)[1].content


def test_the_words_of_the_general_profile_are_the_measured_ones() -> None:
    system, question = judgement_messages(PromptContext(content=CONTENT), "Mail")
    assert system.content.startswith("You decide which tags of a closed list fit a content.\n")
    assert system.content.endswith("nor the list of tags.")
    assert question.content.endswith('Does the content mention, require or deal with "Mail"? Answer Yes or No.')


def test_a_copy_can_be_changed(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        profile_source("news")
        .replace("a news article", "a letter to the editor")
        .replace("# examples", "examples"),
        "utf-8",
    )
    profile = read_profile(str(mine))
    assert profile.words.item == "a letter to the editor"
    assert profile.steps.examples == 3
    assert profile.words.fits == read_profile("news").words.fits


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("about = 1", "about: input should be a valid string"),
        ('about = "x"', "words: field required; correct it"),
        (
            'about = "x"\n[words]\nitem = "a"\nfits = "b"\nrules = "none"',
            r"words\.rules: extra inputs.*profiles show",
        ),
        (
            'about = "x"\n[words]\nitem = "a"\nfits = "b"\nlanguage = "fr"',
            r"words\.language: input should be 'en'",
        ),
        (
            'about = "x"\n[words]\nitem = "a"\nfits = "b"\n[steps]\nsamples = 99',
            r"steps\.samples: input should be less",
        ),
        ("about = ", "is no TOML file"),
    ],
)
def test_what_cannot_be_used_is_told_by_file_and_field(tmp_path: Path, body: str, words: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(body, "utf-8")
    with pytest.raises(UsageError, match=words) as told:
        read_profile(str(file))
    assert str(file) in str(told.value)


def test_unknown_profiles_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--profile poems: no such profile; there are advertisement, "):
        read_profile("poems")
    with pytest.raises(UsageError, match=r"No such file.*give the path of a readable \.toml file"):
        read_profile(str(tmp_path / "none.toml"))
