"""Judging: one yes/no question for each candidate, answered by log-probabilities (paper section 3.3).

A model as it comes is asked by our template. Its judgement is P(Yes) / (P(Yes) + P(No)), where the probabilities
of all Yes-like and all No-like first tokens are summed. A fine-tuned judge is asked in the very words that it was
trained with, and only the two tokens that it was trained on count. Where neither is seen the judgement is unknown,
not 0: a model whose first token is something else has not judged.
"""

import math
from collections.abc import Mapping, Sequence

from llm4tag.models.judge_adapter import Adapter
from llm4tag.models.language_model import Answer, Message, Question
from llm4tag.prompts.templates import Example, PromptContext, prompt_messages, unmarked
from llm4tag.schema import Tag
from llm4tag.schema.adapter_card import AdapterAnswer, AdapterLimits, JudgeForm
from llm4tag.schema.llm_answers import Judgement

TEMPLATE = "judge"
_YES = frozenset({"yes", "y", "true", "是", "对"})
_NO = frozenset({"no", "n", "false", "否", "不", "不是"})
_ALTERNATIVES = 20


def judge_question(context: PromptContext, label: str) -> Question:
    """Return the question whether one label fits the content, for a model as it comes."""
    messages = prompt_messages(context, TEMPLATE, label=label)
    return Question(messages=messages, max_tokens=1, top_logprobs=_ALTERNATIVES)


def read_judgement(answer: Answer) -> Judgement:
    """Return the judgement that the alternatives of the first token make."""
    if answer.first_token is None:
        return Judgement(p_yes=None, mass=None)
    yes, no = _mass(answer.first_token, _YES), _mass(answer.first_token, _NO)
    if yes + no <= 0.0:
        return Judgement(p_yes=None, mass=0.0)
    return Judgement(p_yes=yes / (yes + no), mass=min(1.0, yes + no))


def tuned_judge_question(context: PromptContext, tag: Tag, adapter: Adapter) -> Question:
    """Return the question whether one tag fits the content, for a fine-tuned judge."""
    messages = tuned_judge_messages(context, tag, adapter.form, adapter.card.limits)
    return Question(messages=messages, max_tokens=1, top_logprobs=_ALTERNATIVES, adapter=adapter.lora_sha256)


def read_tuned_judgement(answer: Answer, words: AdapterAnswer) -> Judgement:
    """Return the judgement of a fine-tuned judge: σ(logit(Yes) − logit(No)).

    A token that is not among the alternatives counts as likely as the last of them: it is that at most, and a
    judge that is sure is not certain.

    Args:
        answer: the model's.
        words: the two tokens that the judge was trained on.
    """
    tokens = answer.first_token
    if tokens is None:
        return Judgement(p_yes=None, mass=None)
    yes, no = tokens.get(words.yes), tokens.get(words.no)
    if yes is None and no is None:
        return Judgement(p_yes=None, mass=0.0)
    mass = sum(math.exp(min(0.0, one)) for one in (yes, no) if one is not None)
    last = min(tokens.values())
    difference = (last if yes is None else yes) - (last if no is None else no)
    return Judgement(p_yes=1.0 / (1.0 + math.exp(min(700.0, -difference))), mass=min(1.0, mass))


def tuned_judge_messages(
    context: PromptContext, tag: Tag, form: JudgeForm, limits: AdapterLimits
) -> tuple[Message, ...]:
    """Return the messages that ask a fine-tuned judge about one tag; passages have no place in its prompt.

    Args:
        context: content and similar contents.
        tag: the candidate.
        form: the prompt form that the judge was trained with.
        limits: how many characters and similar contents it was trained with.
    """
    parts = [form.content.format(text=_cut(context.content.full_text, limits.text))]
    if lines := _similar_lines(context.examples, form, limits):
        parts += [form.similar_header, *lines]
    description = _cut(tag.description, limits.description)
    parts.append(form.tag.format(id=unmarked(tag.id), name=unmarked(tag.name), description=description))
    return (Message(role="system", content=form.system), Message(role="user", content="".join(parts)))


def _similar_lines(examples: Sequence[Example], form: JudgeForm, limits: AdapterLimits) -> list[str]:
    if not form.similar_line:
        return []
    return [
        form.similar_line.format(
            first_line=_cut(example.text.partition("\n")[0], limits.similar_first_line),
            tag_ids=unmarked(", ".join(example.ids)),
            tag_names=unmarked(", ".join(example.tags)),
        )
        for example in examples[: limits.similar]
    ]


def _cut(text: str, budget: int) -> str:
    """Cut as in training, wherever that falls: ``quote`` ends at a word and says so, which no adapter has seen."""
    return unmarked(text)[:budget]


def _mass(alternatives: Mapping[str, float], words: frozenset[str]) -> float:
    # Some providers send -9999 for "not computed"; exp() of it is 0, as it should be.
    return sum(
        math.exp(min(0.0, logprob))
        for token, logprob in alternatives.items()
        if token.strip(" \n\t▁Ġ\"'.,:*").casefold() in words
    )
