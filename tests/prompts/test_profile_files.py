"""Profiles: what they put into prompts, and what is refused."""

from pathlib import Path

import pytest

from llm4tag.prompts import (
    PromptContext,
    profile_names,
    profile_source,
    read_profile,
)
from llm4tag.prompts.generate import generation_question
from llm4tag.prompts.judge import judge_question
from llm4tag.prompts.rate import rating_question
from llm4tag.prompts.rewrite import rewrite_question
from llm4tag.schema import Content, UsageError

CONTENT = Content(id="c", text="Some text.")


def test_each_kind_comes_in_both_languages() -> None:
    kinds = {"general", "news", "advertisement", "query", "catalogue"}
    assert set(profile_names()) == kinds | {f"{kind}-zh" for kind in kinds}
    for name in profile_names():
        assert read_profile(name).words.language == ("zh" if name.endswith("-zh") else "en")


@pytest.mark.parametrize("name", profile_names())
def test_a_profile_is_in_the_rules_and_the_questions(name: str) -> None:
    words = read_profile(name).words
    context = PromptContext(content=CONTENT, words=words)
    system, question = (message.content for message in judge_question(context, "Mail").messages)
    assert words.item in system
    assert words.guidance in system
    assert "Some text." not in system
    asked = [
        question,
        *(ask(context, ["Mail"]).messages[1].content for ask in (generation_question, rating_question)),
    ]
    for text in asked:
        assert words.fits in text
        assert "Mail" in text
    assert "<content>Some text.</content>" in rewrite_question(context).messages[1].content


def test_the_words_of_the_general_profile_are_the_measured_ones() -> None:
    system, question = judge_question(PromptContext(content=CONTENT), "Mail").messages
    assert system.content.startswith("You decide which tags of a closed list fit a content.\n")
    assert system.content.endswith("nor the list of tags.")
    assert question.content.endswith('Does the content mention, require or deal with "Mail"? Answer Yes or No.')


def test_a_copy_can_be_changed(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        profile_source("news").replace("a news article", "a letter to the editor") + "[steps]\nexamples = 3\n",
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
        ('about = "x"\nwords = 1', "words: input should be a valid"),
        (
            'about = "x"\n[words]\nitem = "a"\nfits = "b"\nrules = "none"',
            r"words\.rules: extra inputs.*correct it; there are language, item, fits, guidance",
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
def test_what_cannot_be_used_is_reported_by_file_and_field(tmp_path: Path, body: str, words: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(body, "utf-8")
    with pytest.raises(UsageError, match=words) as raised:
        read_profile(str(file))
    assert str(file) in str(raised.value)


def test_unknown_profiles_are_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="profile: there is no profile 'poems'; give one of advertisement, "):
        read_profile("poems")
    with pytest.raises(UsageError, match=r"No such file.*give the path of a readable \.toml file"):
        read_profile(str(tmp_path / "none.toml"))


def test_a_profile_lists_only_what_it_changes(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('about = "Letters."\n[words]\nitem = "a letter"\n', "utf-8")
    general = read_profile("general").words
    assert read_profile(str(mine)).words == general.model_copy(update={"item": "a letter"})
    mine.write_text('about = "Letters."\n[words]\nlanguage = "zh"\n', "utf-8")
    assert read_profile(str(mine)).words == read_profile("general-zh").words
