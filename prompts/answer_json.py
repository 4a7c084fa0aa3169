"""JSON in an LLM's answer: its members, or why there are none."""

import json
from typing import Any

from llm4tag.models.language_model import Answer

NOT_AS_ASKED = "the model's answer is not the JSON that was asked for"


def json_members(answer: Answer) -> tuple[list[tuple[str, Any]] | None, str]:
    """Return the members of the JSON object in an answer, in its order and with repeats; else None and why.

    Text around the object, such as a code fence, is skipped; objects inside it come as lists of members, too.
    """
    if answer.refusal or answer.finish_reason == "content_filter":
        return None, f"the model refused: {answer.refusal or 'content filter'}"
    text = answer.text.strip()
    start, end = text.find("{"), text.rfind("}")
    try:
        if start >= 0:
            return json.loads(text[start : end + 1], object_pairs_hook=list), ""
    except ValueError:
        pass
    if answer.finish_reason == "length":
        return None, "the model's answer was cut short"
    return None, NOT_AS_ASKED
