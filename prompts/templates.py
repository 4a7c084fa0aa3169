"""The prompt templates, a folder for each language: what all questions share, rendering, quoting, content hashes.

The constant parts of a prompt come first (rules, then the content with its examples and passages, then the task),
so that a prefix cache serves all questions about one content.
"""

import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field

from llm4tag.models.language_model import Message
from llm4tag.prompts.profile_files import read_profile, words_hash
from llm4tag.schema import Content, Passage
from llm4tag.schema.profile import Profile, PromptWords
from llm4tag.schema.settings import DEFAULT_PROFILE

TEMPLATES = ("system", "context", "generate", "judge", "rate", "rewrite")
CONTENT_BUDGET = 2400
"""Characters of a content that the LLM sees; the rest is left out, and the result says so."""
_EXAMPLE_BUDGET = 320
_PASSAGE_BUDGET = 400


class Example(BaseModel):
    """A similar content with the tags it has, and tags that look right for it and are not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    tags: tuple[str, ...]
    """Names of its first few tags."""
    ids: tuple[str, ...] = ()
    """Ids of all its tags, sorted: a fine-tuned judge is shown these."""
    wrong: tuple[str, ...] = ()
    """Names of tags that look right for it, and that nobody gave to it."""


class PromptContext(BaseModel):
    """What all questions about one content share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: Content
    words: PromptWords = Field(default_factory=lambda: read_profile(DEFAULT_PROFILE).words)
    """The words of the profile."""
    examples: tuple[Example, ...] = ()
    passages: tuple[Passage, ...] = ()

    @property
    def truncated(self) -> bool:
        """Whether the LLM sees less than the whole content."""
        return len(self.content.full_text) > CONTENT_BUDGET


def prompt_messages(context: PromptContext, template: str, **values: Any) -> tuple[Message, ...]:
    """Return the messages of a question about a content.

    Args:
        context: what all questions about the content share.
        template: the name of the template that holds the task.
        values: what the template is filled in with.
    """
    body = _render(
        "context",
        context.words,
        content=quote(context.content.full_text, CONTENT_BUDGET),
        examples=[
            example.model_copy(update={"text": quote(example.text, _EXAMPLE_BUDGET)})
            for example in context.examples
        ],
        passages=[
            passage.model_copy(update={"text": quote(passage.full_text, _PASSAGE_BUDGET)})
            for passage in context.passages
        ],
    )
    task = _render(template, context.words, **values)
    return (
        Message(role="system", content=_render("system", context.words)),
        Message(role="user", content=f"{body}\n\n{task}"),
    )


def prompt_hashes(profile: Profile) -> dict[str, str]:
    """Return the short content hash of each template in the profile's language, and of the profile's words."""
    language = profile.words.language
    found = {name: hashlib.sha256(_source(language, name).encode()).hexdigest()[:12] for name in TEMPLATES}
    return {**found, "words": words_hash(profile)}


# Chat templates turn <|im_start|> and the like into control tokens even inside a message, and a closing
# </content> would end the quotation: both are broken by a space, which changes the words for no reader.
_CONTROL = re.compile(
    r"<(?=[|｜]|/?(?:content|example|passage|s|bos|eos|think)\b|start_of_turn|end_of_turn)", re.IGNORECASE
)
_INST = re.compile(r"\[(?=/?INST\])")


def unmarked(text: str) -> str:
    """Break what could end a quotation or be read as a control token."""
    return _INST.sub("[ ", _CONTROL.sub("< ", text.replace("\0", " ")))


def quote(text: str, budget: int) -> str:
    """Return untrusted text that is safe between our marks, cut at the end of a word to ``budget`` characters."""
    safe = unmarked(text).strip()
    if len(safe) <= budget:
        return safe
    cut = safe[:budget]
    end = cut.rfind(" ", budget - 40)
    return f"{cut[:end] if end > 0 else cut} […]"


def _render(name: str, words: PromptWords, **values: Any) -> str:
    return _template(words.language, name).render(words=words, **values).strip()


@cache
def _template(language: str, name: str) -> Template:
    environment = SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_source(language, name))


@cache
def _source(language: str, name: str) -> str:
    return files("llm4tag.prompts").joinpath(language, f"{name}.jinja").read_text(encoding="utf-8")
