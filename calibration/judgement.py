"""A yes/no judgement per candidate by log-probability (paper section 3.3).

Conf = P(Yes) / (P(Yes) + P(No)), with the mass of all Yes-like and all No-like first tokens summed. Neither seen
means unknown, not 0: a model whose first token is something else has not judged.
"""

import math
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from llm4tag.models.judge_adapter import Adapter
from llm4tag.models.language_model import Answer, Ask
from llm4tag.prompts import PromptContext, judgement_messages, tuned_judgement_messages
from llm4tag.schema import Tag
from llm4tag.schema.adapter_card import AdapterAnswer

_YES = frozenset({"yes", "y", "true", "是", "对"})
_NO = frozenset({"no", "n", "false", "否", "不", "不是"})
_ALTERNATIVES = 20


class Judgement(BaseModel):
    """What the LLM thinks of one candidate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    p_yes: float | None
    """None when neither a Yes-like nor a No-like token was among the alternatives, or there were none."""
    mass: float | None
    """Probability on Yes-like and No-like tokens together; None when the model gives no log-probabilities."""


def judgement_question(context: PromptContext, label: str) -> Ask:
    """Build the question whether one label fits."""
    return Ask(messages=judgement_messages(context, label), max_tokens=1, top_logprobs=_ALTERNATIVES)


def read_judgement(answer: Answer) -> Judgement:
    """Turn the alternatives of the first token into a judgement."""
    if answer.first_token is None:
        return Judgement(p_yes=None, mass=None)
    yes, no = _mass(answer.first_token, _YES), _mass(answer.first_token, _NO)
    if yes + no <= 0.0:
        return Judgement(p_yes=None, mass=0.0)
    return Judgement(p_yes=yes / (yes + no), mass=min(1.0, yes + no))


def tuned_question(context: PromptContext, tag: Tag, adapter: Adapter) -> Ask:
    """Build the question to a fine-tuned judge whether one tag fits."""
    messages = tuned_judgement_messages(context, tag, adapter.form, adapter.card.limits)
    return Ask(messages=messages, max_tokens=1, top_logprobs=_ALTERNATIVES, adapter=adapter.beside)


def read_tuned(answer: Answer, words: AdapterAnswer) -> Judgement:
    """Turn the first token's alternatives into the trained judgement: σ(logit(Yes) − logit(No)).

    The very tokens that were trained alone count. One that is not among the alternatives is taken for as likely as
    the last of them: it is that at most, and a judge that is sure is not certain.
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


def _mass(alternatives: Mapping[str, float], words: frozenset[str]) -> float:
    # Some providers put -9999 for "not computed"; exp() of it is 0, as it should be.
    return sum(
        math.exp(min(0.0, logprob))
        for token, logprob in alternatives.items()
        if token.strip(" \n\t▁Ġ\"'.,:*").casefold() in words
    )
