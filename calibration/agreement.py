"""Self-consistency: several answers over shuffled candidate lists, and how often each tag was named."""

import hashlib
import random
from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from llm4tag.calibration.answers import NOT_AS_ASKED, object_in
from llm4tag.models.language_model import Answer, Ask
from llm4tag.prompts import PromptContext, generation_messages
from llm4tag.schema import OffVocabulary, Vocabulary, normal_name

_TOKENS_A_LABEL = 14


class Sample(BaseModel):
    """What one answer said, after validation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    asked: tuple[str, ...]
    """Ids of the tags that were in its list."""
    named: tuple[str, ...] = ()
    """Ids of the tags it named, in its order, each once."""
    off_vocabulary: tuple[str, ...] = ()
    """Names that are exactly one tag's neither by label, name nor alias."""
    failure: str = ""
    """Why the answer says nothing: a refusal, cut short, no JSON. Then nothing was named."""


def shuffled(tags: Sequence[str], text: str, sample: int) -> list[str]:
    """Return the tags in the order of that sample: the same for the same text, so that cached answers serve."""
    seed = hashlib.sha256(f"{sample}\n{text}".encode(errors="replace")).digest()
    order = list(tags)
    random.Random(seed).shuffle(order)
    return order


def generation_question(context: PromptContext, labels: Sequence[str]) -> Ask:
    """Build the question which of the labels fit, with the schema that admits these labels alone."""
    return Ask(
        messages=generation_messages(context, labels),
        max_tokens=min(800, 40 + _TOKENS_A_LABEL * len(labels)),
        json_schema={
            "type": "object",
            "properties": {
                "tags": {
                    "type": "array",
                    "items": {"type": "string", "enum": list(labels)},
                    "maxItems": len(labels),
                }
            },
            "required": ["tags"],
            "additionalProperties": False,
        },
    )


def read_sample(answer: Answer, labels: Mapping[str, str], vocabulary: Vocabulary) -> Sample:
    """Validate an answer: map names to tags, keep what maps to none apart, drop nothing silently.

    Args:
        answer: the LLM's.
        labels: what it was shown, by tag id, in the order shown.
        vocabulary: an off-list name is mapped only where it is exactly one tag's name or alias.
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
    members, failure = object_in(answer)
    if members is None:
        return [], failure
    names = dict(members).get("tags")
    if not isinstance(names, list):
        return [], NOT_AS_ASKED
    # Strings only: anything else names no tag. A model's list of 500 entries is cut by max_tokens.
    return [name for name in names if isinstance(name, str) and name.strip()], ""


def agreement(samples: Sequence[Sample]) -> dict[str, tuple[float, int]]:
    """Return for each tag the share of samples that named it, and how many samples were asked about it.

    Samples that failed say nothing and do not count; a tag named off the list counts as asked there.
    """
    asked: Counter[str] = Counter()
    named: Counter[str] = Counter()
    for sample in samples:
        if not sample.failure:
            asked.update({*sample.asked, *sample.named})
            named.update(sample.named)
    return {tag: (named[tag] / count, count) for tag, count in asked.items()}


def off_vocabulary(samples: Sequence[Sample]) -> tuple[OffVocabulary, ...]:
    """Return the names that map to no tag, with how many samples gave each, most frequent first."""
    counts = Counter(name for sample in samples for name in sample.off_vocabulary)
    return tuple(OffVocabulary(name=name, count=count) for name, count in counts.most_common())
