"""A content and its candidates as tokens: a prefix that all questions share, and a branch for each question."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from llm4tag.training.judge_examples import TrainingExample, TrainingSet


@dataclass(frozen=True)
class TokenSequence:
    """The tokens of one content's questions; prefix and branch together are exactly one question."""

    prefix: list[int]
    branches: list[list[int]]
    """None of them is empty; the answer is the token after each."""
    right: list[bool]
    """Whether people gave the tag of each branch."""

    @property
    def length(self) -> int:
        """The number of tokens in all."""
        return len(self.prefix) + sum(map(len, self.branches))


def token_sequence(example: TrainingExample, head: TrainingSet, tokenizer: Any, shown: int) -> TokenSequence:
    """Tokenise all questions about a content.

    Each question is tokenised as a whole before their common beginning is found, as one token may contain both the
    end of the content and what follows it.

    Args:
        example: the content with its candidates.
        head: the head of its set.
        tokenizer: the base's tokenizer, with a chat template.
        shown: how many similar items the questions show.
    """
    pairs = list(example.questions(head, shown))
    rendered = [
        tokenizer.apply_chat_template(
            [message.model_dump() for message in messages], add_generation_prompt=True, tokenize=False
        )
        for _, messages in pairs
    ]
    questions: list[list[int]] = tokenizer(rendered, add_special_tokens=False)["input_ids"]
    shared = min(_common(questions), min(map(len, questions)) - 1)
    return TokenSequence(
        prefix=questions[0][:shared],
        branches=[question[shared:] for question in questions],
        right=[tag.right for tag, _ in pairs],
    )


def _common(questions: Sequence[Sequence[int]]) -> int:
    """Return how many tokens all questions have in common at their beginning."""
    return sum(1 for _ in takewhile(lambda tokens: len(set(tokens)) == 1, zip(*questions, strict=False)))
