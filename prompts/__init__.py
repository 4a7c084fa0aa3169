"""Prompts as files: each template's content hash goes into every result that was made with it."""

from llm4tag.prompts.profile import profile_names, profile_source, read_profile
from llm4tag.prompts.rendering import (
    Example,
    PromptContext,
    generation_messages,
    judgement_messages,
    listwise_messages,
    prompt_hashes,
    rewriting_messages,
)
from llm4tag.prompts.tuned import tuned_judgement_messages

__all__ = [
    "Example",
    "PromptContext",
    "generation_messages",
    "judgement_messages",
    "listwise_messages",
    "profile_names",
    "profile_source",
    "prompt_hashes",
    "read_profile",
    "rewriting_messages",
    "tuned_judgement_messages",
]
