"""Prompts as files: each template's content hash goes into every result that was made with it."""

from prompts.rendering import (
    Example,
    PromptContext,
    generation_messages,
    judgement_messages,
    listwise_messages,
    prompt_hashes,
    rewriting_messages,
)
from prompts.tuned import tuned_judgement_messages

__all__ = [
    "Example",
    "PromptContext",
    "generation_messages",
    "judgement_messages",
    "listwise_messages",
    "prompt_hashes",
    "rewriting_messages",
    "tuned_judgement_messages",
]
