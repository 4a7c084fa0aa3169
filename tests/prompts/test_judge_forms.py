"""Prompt forms of a judge: named ones, those of a card, and those of a file."""

import json
from pathlib import Path

import pytest

from llm4tag.prompts.judge_forms import FORMS, LIMITS, prompt_form
from llm4tag.schema import UsageError
from tests.fakes.adapters import adapter_folder, base_file


def test_a_form_is_a_named_one_or_that_of_a_card(tmp_path: Path) -> None:
    assert prompt_form("generic")[1].prompt == FORMS["generic"]
    card = adapter_folder(tmp_path / "judge", base_file(tmp_path / "base.gguf")) / "adapter.json"
    name, form = prompt_form(str(card))
    assert name == "judge"
    assert form.prompt.system == "You check tags. Answer only Yes or No."
    assert form.limits.text == 60
    own = tmp_path / "own.json"
    own.write_text(json.dumps({"prompt": FORMS["ids"].model_dump(), "limits": LIMITS.model_dump()}))
    assert prompt_form(str(own))[0] == "own"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "cannot be read"),
        ("{}", "field 'prompt': Field required"),
        ('{"prompt": {"system": "", "content": "{other}", "tag": ""}, "limits": {}}', "unknown slot {other}"),
    ],
)
def test_a_file_that_holds_no_form_is_refused(tmp_path: Path, body: str | None, words: str) -> None:
    file = tmp_path / "own.json"
    if body is not None:
        file.write_text(body)
    with pytest.raises(UsageError, match=words):
        prompt_form(str(file))
    with pytest.raises(UsageError, match="there is no prompt form 'own'; give one of ids, generic, names"):
        prompt_form("own")
