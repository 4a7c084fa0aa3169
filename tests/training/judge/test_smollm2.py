"""A real small model learns from the shipped slice of debtags, and what was trained is what is served."""

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration.judgement import read_tuned
from llm4tag.demo import demo_file
from models import open_llm
from models.llm import Ask, Message
from prompts.forms import FORMS, LIMITS
from schema import settings
from tests.cli.running import llm4tag
from tests.ingest.files import written

pytestmark = [pytest.mark.training, pytest.mark.timeout(2400)]

CONTENTS, ANSWERS = 48, 8


def done(*args: object) -> None:
    result = llm4tag(*args)
    assert result.exit_code == 0, result.output


def short_form(path: Path) -> Path:
    """Write a prompt form with little to read, so that training takes minutes on two cores."""
    limits = LIMITS.model_copy(update={"text": 120, "similar": 1, "similar_first_line": 40, "description": 0})
    prompt = FORMS["ids"].model_copy(update={"tag": FORMS["names"].tag})
    path.write_text(json.dumps({"prompt": prompt.model_dump(), "limits": limits.model_dump()}))
    return path


async def served(judge: Path, base: Path, answers: list[dict[str, Any]], adapter: bool) -> list[float]:
    """Ask the local server for the very prompts that the trainer kept."""
    llm = await open_llm(settings(model=f"local/{base}", adapter=str(judge), timeout=240.0))
    assert llm.adapter is not None
    found = []
    try:
        for one in answers:
            messages = tuple(Message.model_validate(message) for message in one["messages"])
            sha256 = llm.adapter.sha256 if adapter else None
            ask = Ask(messages=messages, max_tokens=1, top_logprobs=20, adapter=sha256)
            p_yes = read_tuned(await llm.ask(ask), llm.adapter.card.answer).p_yes
            assert p_yes is not None
            found.append(math.log(p_yes / (1 - p_yes)))
    finally:
        await llm.close()
    return found


def test_it_learns_and_is_served_as_it_was_trained(small_model_path: Path, tmp_path: Path) -> None:
    store, examples, judge = tmp_path / "store", tmp_path / "examples.jsonl", tmp_path / "judge"
    tags, groups = demo_file("tags.jsonl"), demo_file("tag_groups.jsonl")
    done("ingest", "vocabulary", tags, "--groups", groups, "--store", store, "--embedding", "none")
    done("ingest", "history", demo_file("history.jsonl"), "--store", store)
    what = ("--top", 5, "--missed", 0, "--limit", CONTENTS, "--held-out", 0.2)
    done("train", "export", examples, "--store", store, *what, "--form", short_form(tmp_path / "short.json"))
    how = ("--batch", 4, "--learning-rate", 1e-3, "--measures", 1, "--device", "cpu")
    done("train", "run", examples, "--out", judge, "--base", f"local/{small_model_path}", *how)

    card = json.loads((judge / "adapter.json").read_text())
    before, after = card["trained_on"]["held_out_untrained"], card["trained_on"]["held_out"]
    assert after["step"] > before["step"] == 0
    assert after["pairs"] == before["pairs"] >= 40
    assert after["log_loss"] < before["log_loss"] - 0.02
    assert card["base"]["file"] == "SmolLM2-135M-Instruct.Q4_1.gguf"

    answers = written(judge / "logits.jsonl")[:ANSWERS]
    trained = [one["logit"] for one in answers]
    with_it, without = (
        asyncio.run(served(judge, small_model_path, answers, adapter=adapter)) for adapter in (True, False)
    )
    assert np.corrcoef(with_it, trained)[0, 1] > 0.98
    assert np.abs(np.subtract(with_it, trained)).mean() < 0.25
    assert np.abs(np.subtract(with_it, trained)).mean() < np.abs(np.subtract(without, trained)).mean() / 3
