"""Generation: several questions which of the candidates fit, each over the same list in another order (paper 3.2).

How often the answers name a tag is its self-consistency, see ``llm4tag.calibration.agreement``.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from llm4tag.models.language_model import Answer, Question
from llm4tag.prompts.answer_json import NOT_AS_ASKED, json_members
from llm4tag.prompts.templates import PromptContext, prompt_messages
from llm4tag.schema import OffVocabulary, Vocabulary, normal_name
from llm4tag.schema.llm_answers import Sample
from llm4tag.schema.text import without_surrogates

TEMPLATE = "generate"
_TOKENS_A_LABEL = 14


def shuffled(tags: Sequence[str], text: str, sample: int) -> list[str]:
    """Return the tags in the order of one sample: the same for the same text, so that cached answers serve."""
    seed = hashlib.sha256(without_surrogates(f"{sample}\n{text}").encode()).digest()
    order = list(tags)
    random.Random(seed).shuffle(order)
    return order


def generation_question(context: PromptContext, labels: Sequence[str]) -> Question:
    """Return the question which of the labels fit the content; its schema admits these labels alone."""
    return Question(
        messages=prompt_messages(context, TEMPLATE, labels=list(labels)),
        max_tokens=min(800, 40 + _TOKENS_A_LABEL * len(labels)),
        json_schema=_schema(labels),
    )


def _schema(labels: Sequence[str]) -> dict[str, Any]:
    tags = {"type": "array", "items": {"type": "string", "enum": list(labels)}, "maxItems": len(labels)}
    return {
        "type": "object",
        "properties": {"tags": tags},
        "required": ["tags"],
        "additionalProperties": False,
    }


def read_sample(answer: Answer, labels: Mapping[str, str], vocabulary: Vocabulary) -> Sample:
    """Validate an answer: map names to tags, and report names that map to none.

    Args:
        answer: the LLM's.
        labels: the labels that the question showed by tag id, in the order shown.
        vocabulary: a name that was not shown counts only where it is exactly one tag's name or alias.
    """
    asked = tuple(labels)
    names, failure = _names_in(answer)
    by_label = {normal_name(label): tag for tag, label in labels.items()}
    named: dict[str, None] = {}
    off: dict[str, None] = {}
    for name in names:
        tag = by_label.get(normal_name(name)) or vocabulary.resolve(name)
        if tag is None:
            off[name] = None
        else:
            named[tag] = None
    return Sample(asked=asked, named=tuple(named), off_vocabulary=tuple(off), failure=failure)


def _names_in(answer: Answer) -> tuple[list[str], str]:
    members, failure = json_members(answer)
    if members is None:
        return [], failure
    names = dict(members).get("tags")
    if not isinstance(names, list):
        return [], NOT_AS_ASKED
    # Strings only: anything else names no tag. A model's list of 500 entries is cut by max_tokens.
    return [name for name in names if isinstance(name, str) and name.strip()], ""


def off_vocabulary(samples: Sequence[Sample]) -> tuple[OffVocabulary, ...]:
    """Return the names that map to no tag, with how many samples gave each, most frequent first."""
    counts = Counter(name for sample in samples for name in sample.off_vocabulary)
    return tuple(OffVocabulary(name=name, count=count) for name, count in counts.most_common())
