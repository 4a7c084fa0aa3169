"""Examples in the form that other trainers and providers take: one chat of a question and its answer a line."""

import json
from collections.abc import Iterator

import numpy as np

from llm4tag.training.judge_examples import TrainingExample, TrainingSet

YES, NO = "Yes", "No"


def chats(example: TrainingExample, head: TrainingSet, seed: int) -> Iterator[bytes]:
    """Yield one line of JSONL for each candidate, as OpenAI, Axolotl and Unsloth take it (``messages``)."""
    for tag, messages in example.questions(head, similar_shown(example, head, seed, 0)):
        said = [message.model_dump(include={"role", "content"}) for message in messages]
        said.append({"role": "assistant", "content": YES if tag.right else NO})
        yield json.dumps({"messages": said}, ensure_ascii=False).encode() + b"\n"


def similar_shown(example: TrainingExample, head: TrainingSet, seed: int, turn: int) -> int:
    """Draw how many similar items a content is shown with, so that the judge can do with any number of them.

    A content that is held out is shown with all, as at tagging.

    Args:
        example: the content.
        head: of its set.
        seed: of the draw.
        turn: which pass over the examples this is, from 0.
    """
    most = min(head.limits.similar, len(example.similar)) if head.prompt.similar_line else 0
    if example.split == "held_out":
        return most
    key = f"{head.set}\0{example.id}".encode()
    return int(np.random.default_rng([seed, turn, *key]).integers(0, most + 1))
