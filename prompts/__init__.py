"""Prompts: one file for each question (generate, judge, rate, rewrite) with its template, JSON schema and reader.

Templates are files; their content hashes are part of every result that was made with them.
"""

from llm4tag.prompts.profile_files import profile_names, profile_source, read_profile
from llm4tag.prompts.templates import Example, PromptContext, prompt_hashes

__all__ = [
    "Example",
    "PromptContext",
    "profile_names",
    "profile_source",
    "prompt_hashes",
    "read_profile",
]
