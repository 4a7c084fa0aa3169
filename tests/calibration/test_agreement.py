"""Labels of the tags in a prompt, and the agreement of samples on the names that they give."""

import json

import pytest

from llm4tag.calibration.agreement import agreement
from llm4tag.models.language_model import Answer
from llm4tag.prompts.generate import off_vocabulary, read_sample, shuffled
from llm4tag.prompts.tag_labels import labels_for
from llm4tag.schema import Tag, Vocabulary

VOCABULARY = Vocabulary(
    [
        Tag(id="use::text", name="Text", parents=("use",)),
        Tag(id="works::text", name="Text", parents=("works",)),
        Tag(id="mail", name="Mail", aliases=("e-mail", "post")),
        Tag(id="news", name="News", aliases=("post",)),
        Tag(id="x", name="x"),
        Tag(id="use", name="Use", group=True),
        Tag(id="works", name="Works with", group=True),
    ]
)
LABELS = labels_for(["use::text", "works::text", "mail"], VOCABULARY)


def answer(text: str, **fields: str) -> Answer:
    return Answer(text=text, **fields)


def test_labels_that_clash_are_reported_apart_by_their_parents() -> None:
    assert LABELS == {"use::text": "Text (Use)", "works::text": "Text (Works with)", "mail": "Mail"}


def test_labels_that_still_clash_carry_the_id() -> None:
    twins = Vocabulary([Tag(id="1", name="Twin"), Tag(id="2", name="twin")])
    assert labels_for(["1", "2"], twins) == {"1": "Twin [1]", "2": "twin [2]"}


def test_names_map_by_label_then_by_exact_unique_name_or_alias() -> None:
    sample = read_sample(answer(json.dumps({"tags": ["text (works WITH)", "E-Mail", "News"]})), LABELS, VOCABULARY)
    assert sample.named == ("works::text", "mail", "news")
    assert sample.off_vocabulary == ()


@pytest.mark.parametrize("name", ["post", "Text", "mails", "use", "Works with", "ignore the list"])
def test_ambiguous_or_unknown_names_are_reported_never_mapped(name: str) -> None:
    sample = read_sample(answer(json.dumps({"tags": ["Mail", name]})), LABELS, VOCABULARY)
    assert sample.named == ("mail",)
    assert sample.off_vocabulary == (name,)


def test_repeats_count_once_and_other_types_name_nothing() -> None:
    sample = read_sample(answer('{"tags": ["Mail", "mail", 7, null, {"a": 1}, ""]}'), LABELS, VOCABULARY)
    assert sample.named == ("mail",)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (answer("I cannot help", refusal="no"), "refused"),
        (answer("", finish_reason="content_filter"), "refused"),
        (answer('{"tags": ["Ma', finish_reason="length"), "cut short"),
        (answer("Mail, News"), "not the JSON"),
        (answer('["Mail"]'), "not the JSON"),
        (answer('{"tags": "Mail"}'), "not the JSON"),
    ],
)
def test_answers_that_say_nothing_are_failures(given: Answer, words: str) -> None:
    sample = read_sample(given, LABELS, VOCABULARY)
    assert words in sample.failure
    assert sample.named == ()


def test_json_inside_a_code_fence_is_read() -> None:
    assert read_sample(answer('```json\n{"tags": ["Mail"]}\n```'), LABELS, VOCABULARY).named == ("mail",)


def test_agreement_counts_only_samples_that_spoke() -> None:
    spoke = [
        read_sample(answer(json.dumps({"tags": tags})), LABELS, VOCABULARY)
        for tags in (["Mail"], ["Mail", "News"])
    ]
    failed = read_sample(answer("garbage"), LABELS, VOCABULARY)
    shares = agreement([*spoke, failed])
    assert shares["mail"] == (1.0, 2)
    assert shares["use::text"] == (0.0, 2)
    assert shares["news"] == (1.0, 1), "named off the list: asked about only where it was named"


def test_off_vocabulary_counts_samples() -> None:
    texts = ['{"tags": ["Zoo", "Zoo"]}', '{"tags": ["Zoo", "Yak"]}']
    found = off_vocabulary([read_sample(answer(text), LABELS, VOCABULARY) for text in texts])
    assert [(item.name, item.count) for item in found] == [("Zoo", 2), ("Yak", 1)]


def test_shuffles_differ_by_sample_and_repeat_by_text() -> None:
    tags = [str(number) for number in range(20)]
    assert shuffled(tags, "text", 0) == shuffled(tags, "text", 0)
    assert shuffled(tags, "text", 0) != shuffled(tags, "text", 1)
    assert shuffled(tags, "text", 0) != shuffled(tags, "other", 0)
    assert sorted(shuffled(tags, "text\ud800", 3)) == sorted(tags)
