"""Rating: one question for the probability of every candidate in words, for models without log-probabilities.

Such probabilities run high (Xiong, ICLR 2024), so a rating is one signal among others.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from llm4tag.models.language_model import Answer, Question
from llm4tag.prompts.answer_json import NOT_AS_ASKED, json_members
from llm4tag.prompts.templates import PromptContext, prompt_messages
from llm4tag.schema import normal_name
from llm4tag.schema.llm_answers import Ratings

TEMPLATE = "rate"
_TOKENS_A_LABEL = 20
_PERCENT = re.compile(r"\s*(\d{1,3}(?:\.\d+)?)\s*%?\s*", re.ASCII)


def rating_question(context: PromptContext, labels: Sequence[str]) -> Question:
    """Return the question how probable each label is, in percent; its schema admits these labels alone."""
    percent = {"type": "integer", "minimum": 0, "maximum": 100}
    return Question(
        messages=prompt_messages(context, TEMPLATE, labels=list(labels)),
        max_tokens=min(4000, 40 + _TOKENS_A_LABEL * len(labels)),
        json_schema={
            "type": "object",
            "properties": dict.fromkeys(labels, percent),
            "required": list(labels),
            "additionalProperties": False,
        },
    )


def read_ratings(answer: Answer, labels: Mapping[str, str]) -> Ratings:
    """Validate an answer; nothing is guessed.

    A name must be a label that was shown, and occur once; a value must be a number from 0 to 100. An answer with a
    value between 0 and 1 uses another scale than the question asks for, so all of it is left out.

    Args:
        answer: the LLM's.
        labels: the labels that the question showed, by tag id.
    """
    unknown: dict[str, float | None] = dict.fromkeys(labels)
    members, failure = json_members(answer)
    if members is None:
        return Ratings(probabilities=unknown, failure=failure)
    times = Counter(normal_name(name) for name, _ in members)
    by_name = {normal_name(name): _percent(value) for name, value in members}
    values = {
        tag: by_name.get(normal_name(label)) if times[normal_name(label)] == 1 else None
        for tag, label in labels.items()
    }
    if any(value is not None and 0.0 < value < 1.0 for value in values.values()):
        return Ratings(probabilities=unknown, failure="the model's probabilities are not in percent")
    if all(value is None for value in values.values()):
        return Ratings(probabilities=unknown, failure=NOT_AS_ASKED)
    return Ratings(probabilities={tag: None if one is None else one / 100.0 for tag, one in values.items()})


def _percent(value: Any) -> float | None:
    """Return a percentage, None where the value is not exactly that."""
    if isinstance(value, str):
        found = _PERCENT.fullmatch(value)
        value = float(found.group(1)) if found else None
    if value is None or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0.0 <= value <= 100.0 else None
