"""A real small model learns from the shipped slice of debtags."""

import json
from pathlib import Path

import pytest

from llm4tag.demo import demo_file
from prompts.forms import FORMS, LIMITS
from tests.cli.running import llm4tag
from tests.ingest.files import written

pytestmark = [pytest.mark.training, pytest.mark.timeout(2400)]

CONTENTS = 48


def done(*args: object) -> None:
    result = llm4tag(*args)
    assert result.exit_code == 0, result.output


def short_form(path: Path) -> Path:
    """Write a prompt form with little to read, so that training takes minutes on two cores."""
    limits = LIMITS.model_copy(update={"text": 120, "similar": 1, "similar_first_line": 40, "description": 0})
    prompt = FORMS["ids"].model_copy(update={"tag": FORMS["names"].tag})
    path.write_text(json.dumps({"prompt": prompt.model_dump(), "limits": limits.model_dump()}))
    return path


def test_it_judges_held_out_contents_better_than_untrained(small_model_path: Path, tmp_path: Path) -> None:
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
    assert after["log_loss"] < before["log_loss"]
    assert card["base"]["file"] == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert len(written(judge / "logits.jsonl")) == after["pairs"]
