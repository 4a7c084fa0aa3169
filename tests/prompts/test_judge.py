"""The probability of yes, read from the tokens of a judge's answer."""

import math

import pytest

from llm4tag.models.language_model import Answer
from llm4tag.prompts.judge import read_judgement, read_tuned_judgement
from llm4tag.schema.adapter_card import AdapterAnswer


def judged(alternatives: dict[str, float] | None) -> tuple[float | None, float | None]:
    judgement = read_judgement(Answer(text="", first_token=alternatives))
    return judgement.p_yes, judgement.mass


def test_masses_of_all_yes_like_and_no_like_tokens_are_summed() -> None:
    p_yes, mass = judged({" Yes": math.log(0.3), "yes": math.log(0.2), "YES": math.log(0.1), "No": math.log(0.2)})
    assert p_yes == pytest.approx(0.75)
    assert mass == pytest.approx(0.8)


def test_a_certain_token_is_certain() -> None:
    assert judged({"Yes": 0.0})[0] == 1.0
    assert judged({"No": 0.0})[0] == 0.0


def test_neither_seen_is_unknown_and_no_logprobs_is_missing() -> None:
    assert judged({"Maybe": -0.1, "The": -3.0}) == (None, 0.0)
    assert judged({"Yes": -9999.0, "No": -9999.0}) == (None, 0.0)
    assert judged(None) == (None, None)


def test_chinese_answers_count() -> None:
    assert judged({"是": math.log(0.6), "否": math.log(0.2)})[0] == pytest.approx(0.75)


def test_words_that_merely_begin_like_yes_do_not_count() -> None:
    assert judged({"Yesterday": math.log(0.9), "No": math.log(0.1)})[0] == 0.0


def tuned(alternatives: dict[str, float] | None) -> tuple[float | None, float | None]:
    judgement = read_tuned_judgement(Answer(text="", first_token=alternatives), AdapterAnswer(yes="Yes", no="No"))
    return judgement.p_yes, judgement.mass


def test_a_tuned_judge_is_read_by_the_trained_tokens_alone() -> None:
    p_yes, mass = tuned({"Yes": math.log(0.3), " yes": math.log(0.4), "No": math.log(0.1)})
    assert p_yes == pytest.approx(0.75)
    assert mass == pytest.approx(0.4)


def test_a_trained_token_out_of_sight_is_as_likely_as_the_last_in_sight() -> None:
    assert tuned({"Yes": math.log(0.9), "The": math.log(0.1)})[0] == pytest.approx(0.9)
    assert tuned({"No": math.log(0.9), "The": math.log(0.1)})[0] == pytest.approx(0.1)
    assert tuned({"yes": -0.1, "The": -3.0}) == (None, 0.0)
    assert tuned(None) == (None, None)
