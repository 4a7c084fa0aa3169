"""A content and its candidates as tokens: a prefix that all questions share, and a branch for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from llm4tag.training.judge_examples import TrainingExample, TrainingSet


@dataclass(frozen=True)
class TokenSequence:
    """One content; prefix and branch together are the very tokens that the judge is asked with."""

    prefix: list[int]
    branches: list[list[int]]
    """Never empty; the answer is the token after each."""
    right: list[bool]

    @property
    def length(self) -> int:
        """Tokens in all."""
        return len(self.prefix) + sum(map(len, self.branches))


def token_sequence(example: TrainingExample, head: TrainingSet, tokenizer: Any, shown: int) -> TokenSequence:
    """Tokenise all questions about a content.

    Each is tokenised whole and the common beginning taken off, as a token may span the end of the content.

    Args:
        example: the content.
        head: of its set.
        tokenizer: of the base, with its chat template.
        shown: how many similar items to show.
    """
    asked = list(example.questions(head, shown))
    rendered = [
        tokenizer.apply_chat_template(
            [message.model_dump() for message in messages], add_generation_prompt=True, tokenize=False
        )
        for _, messages in asked
    ]
    questions: list[list[int]] = tokenizer(rendered, add_special_tokens=False)["input_ids"]
    shared = min(_common(questions), min(map(len, questions)) - 1)
    return TokenSequence(
        prefix=questions[0][:shared],
        branches=[question[shared:] for question in questions],
        right=[tag.right for tag, _ in asked],
    )


def _common(questions: Sequence[Sequence[int]]) -> int:
    """Return how many tokens all begin with alike."""
    return sum(1 for _ in takewhile(lambda tokens: len(set(tokens)) == 1, zip(*questions, strict=False)))
