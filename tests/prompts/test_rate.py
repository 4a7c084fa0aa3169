"""Ratings: probabilities in words, read from an answer of the LLM."""

import json

import pytest

from llm4tag.models.language_model import Answer
from llm4tag.prompts import PromptContext
from llm4tag.prompts.rate import rating_question, read_ratings
from llm4tag.schema import Content

LABELS = {"mail": "Mail", "use::text": "Text (use)", "news": "News"}


def said(text: str, **fields: str) -> tuple[dict[str, float | None], str]:
    ratings = read_ratings(Answer(text=text, **fields), LABELS)
    assert ratings.probabilities.keys() == LABELS.keys(), "one for each tag that was shown, and for no other"
    return ratings.probabilities, ratings.failure


def test_percentages_are_read_in_any_order_and_as_words() -> None:
    found, failure = said('```json\n{"news": 0, "Mail": "85 %", "Text (use)": 12.5}\n```')
    assert found == {"mail": 0.85, "use::text": 0.125, "news": 0.0}
    assert failure == ""


@pytest.mark.parametrize("value", [-1, 101, "high", None, True, [50], {"p": 5}, "1e1", "٥", float("nan")])
def test_what_is_no_percentage_is_missing_and_never_guessed(value: object) -> None:
    found, failure = said(json.dumps({"Mail": value, "News": 40}))
    assert found == {"mail": None, "use::text": None, "news": 0.4}
    assert failure == ""


def test_names_are_exactly_those_shown_each_once() -> None:
    found, _ = said('{"Mail": 90, "mail": 10, "Text": 80, "use::text": 70, "News": 5, "Other": 99}')
    assert found == {"mail": None, "use::text": None, "news": 0.05}


def test_an_answer_on_another_scale_is_left_out_whole() -> None:
    found, failure = said('{"Mail": 0.9, "Text (use)": 1, "News": 0}')
    assert set(found.values()) == {None}
    assert "percent" in failure


@pytest.mark.parametrize(
    ("text", "fields", "words"),
    [
        ("", {"refusal": "no"}, "refused"),
        ('{"Mail": 9', {"finish_reason": "length"}, "cut short"),
        ("Mail: 90", {}, "not the JSON"),
        ('{"tags": ["Mail"]}', {}, "not the JSON"),
    ],
)
def test_answers_that_say_nothing_say_why(text: str, fields: dict[str, str], words: str) -> None:
    found, failure = said(text, **fields)
    assert set(found.values()) == {None}
    assert words in failure


def test_the_schema_admits_the_labels_alone() -> None:
    question = rating_question(PromptContext(content=Content(id="c", text="a text")), list(LABELS.values()))
    schema = question.json_schema or {}
    assert list(schema["properties"]) == schema["required"] == list(LABELS.values())
    assert schema["additionalProperties"] is False
