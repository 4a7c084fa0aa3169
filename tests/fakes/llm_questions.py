"""A question to a language model."""

from typing import Any

from llm4tag.models import Message, Question


def question(text: str = "Is Paris a city?", **parameters: Any) -> Question:
    """Return a short question; other parameters than its text may be given."""
    parameters.setdefault("max_tokens", 5)
    return Question(
        messages=(Message(role="system", content="You tag."), Message(role="user", content=text)), **parameters
    )
