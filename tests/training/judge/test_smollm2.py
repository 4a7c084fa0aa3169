"""A real small model learns from the shipped slice of debtags."""

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm4tag.demo_store import demo_file
from llm4tag.models import open_llm
from llm4tag.models.language_model import Message, Question
from llm4tag.prompts.judge import read_tuned_judgement
from llm4tag.prompts.judge_forms import FORMS, LIMITS
from llm4tag.schema import settings
from llm4tag.schema.adapter_card import AdapterAnswer
from llm4tag.training.chat_examples import NO, YES
from tests.fakes.command_line import llm4tag
from tests.fakes.jsonl_files import written

pytestmark = [pytest.mark.training, pytest.mark.timeout(2400)]

CONTENTS = 96


def done(*args: object) -> None:
    result = llm4tag(*args)
    assert result.exit_code == 0, result.output


def short_form(path: Path) -> Path:
    """Write a prompt form with little to read, so that training takes minutes on two cores."""
    limits = LIMITS.model_copy(update={"text": 120, "similar": 1, "similar_first_line": 40, "description": 0})
    prompt = FORMS["ids"].model_copy(update={"tag": FORMS["names"].tag})
    path.write_text(json.dumps({"prompt": prompt.model_dump(), "limits": limits.model_dump()}))
    return path


def served(model: Path, adapter: Path | str, questions: list[dict[str, Any]]) -> list[float]:
    """Return logit(Yes) - logit(No) as the local server answers it with this judge, or with ``none``."""

    async def ask() -> list[float]:
        llm = await open_llm(settings(model=f"local/{model}", adapter=str(adapter), timeout=240.0))
        lora = llm.adapter.lora_sha256 if llm.adapter else None
        found = []
        for one in questions:
            messages = tuple(Message(**message) for message in one["messages"])
            question = Question(messages=messages, max_tokens=1, top_logprobs=20, adapter=lora)
            answer = read_tuned_judgement(await llm.ask(question), AdapterAnswer(yes=YES, no=NO))
            assert answer.p_yes is not None
            found.append(math.log(answer.p_yes / (1 - answer.p_yes)))
        await llm.close()
        return found

    return asyncio.run(ask())


def test_it_judges_held_out_contents_better_than_untrained_and_so_it_is_served(
    small_model_path: Path, tmp_path: Path
) -> None:
    store, examples, judge = tmp_path / "store", tmp_path / "examples.jsonl", tmp_path / "judge"
    tags, groups = demo_file("tags.jsonl"), demo_file("tag_groups.jsonl")
    done("ingest", "vocabulary", tags, "--groups", groups, "--store", store, "--embedding", "none")
    done("ingest", "history", demo_file("history.jsonl"), "--store", store)
    what = ("--top", 5, "--missed", 0, "--limit", CONTENTS, "--held-out", 0.2)
    done("train", "export", examples, "--store", store, *what, "--form", short_form(tmp_path / "short.json"))
    how = ("--batch", 8, "--learning-rate", 5e-4, "--measures", 2, "--device", "cpu")
    done("train", "run", examples, "--out", judge, "--base", f"local/{small_model_path}", *how)

    card = json.loads((judge / "adapter.json").read_text())
    before, after = card["trained_on"]["held_out_untrained"], card["trained_on"]["held_out"]
    assert after["step"] > before["step"] == 0
    assert after["pairs"] == before["pairs"] >= 40
    assert after["log_loss"] < before["log_loss"]
    assert card["base"]["file"] == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert after["answered"] > before["answered"] + 0.1
    answers = written(judge / "logits.jsonl")
    assert len(answers) == 5 * 10, "of ten contents, five candidates each"

    done("train", "merge", judge, "--out", tmp_path / "merged", "--base", small_model_path)
    trainer = [one["logit"] for one in answers]
    bare = np.abs(np.subtract(served(small_model_path, "none", answers), trainer)).mean()
    for model, adapter in (
        (small_model_path, judge),
        (tmp_path / "merged" / "judge.gguf", tmp_path / "merged"),
    ):
        found = served(model, adapter, answers)
        # Few steps move the logits little, and the served arithmetic is of eight bits.
        assert np.corrcoef(found, trainer)[0, 1] > 0.85, adapter
        assert np.abs(np.subtract(found, trainer)).mean() < 0.7 * bare, adapter
