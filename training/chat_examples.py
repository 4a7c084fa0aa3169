"""Examples in the form of other trainers and providers: each line is a chat of one question and its answer."""

import json
from collections.abc import Iterator

import numpy as np

from llm4tag.training.judge_examples import TrainingExample, TrainingSet

YES, NO = "Yes", "No"


def chats(example: TrainingExample, head: TrainingSet, seed: int) -> Iterator[bytes]:
    """Yield one line of JSONL for each candidate, in the format ``messages`` of OpenAI, Axolotl and Unsloth.

    Args:
        example: the content with its candidates.
        head: the head of its set.
        seed: seed of the number of similar items that are shown.
    """
    for tag, messages in example.questions(head, similar_shown(example, head, seed, 0)):
        said = [message.model_dump(include={"role", "content"}) for message in messages]
        said.append({"role": "assistant", "content": YES if tag.right else NO})
        yield json.dumps({"messages": said}, ensure_ascii=False).encode() + b"\n"


def similar_shown(example: TrainingExample, head: TrainingSet, seed: int, turn: int) -> int:
    """Draw how many similar items a content's questions show, so that the judge learns to use any number.

    The questions of a held-out content show all of them, as in tagging.

    Args:
        example: the content.
        head: the head of its set.
        seed: seed of the draw.
        turn: number of the pass over the examples, from 0.
    """
    most = min(head.limits.similar, len(example.similar)) if head.prompt.similar_line else 0
    if example.split == "held_out":
        return most
    key = f"{head.set}\0{example.id}".encode()
    return int(np.random.default_rng([seed, turn, *key]).integers(0, most + 1))
