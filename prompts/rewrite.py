"""Rewriting: the content in other words, so that a wider round of recall can search with them as well."""

from llm4tag.models.language_model import Answer, Question
from llm4tag.prompts.templates import PromptContext, prompt_messages

TEMPLATE = "rewrite"
_MOST_TOKENS = 60


def rewrite_question(context: PromptContext) -> Question:
    """Return the question for other words for what the content is about, without examples and passages."""
    alone = context.model_copy(update={"examples": (), "passages": ()})
    return Question(messages=prompt_messages(alone, TEMPLATE), max_tokens=_MOST_TOKENS)


def read_rewrite(answer: Answer) -> str:
    """Return the other words; empty where the model gave none."""
    return answer.text.strip()
