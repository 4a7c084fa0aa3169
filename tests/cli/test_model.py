"""The commands of ``model``: list, pull and serve."""

from pathlib import Path

import pytest

from llm4tag.models.local.known_models import known_model
from tests.fakes.command_line import llm4tag


def test_list_names_the_models_and_what_is_here() -> None:
    done = llm4tag("model", "list")
    assert done.exit_code == 0, done.output
    assert "local/qwen2.5-coder-1.5b" in done.stdout
    assert "Apache-2.0" in done.stdout
    assert " no" in done.stdout


def test_list_shows_the_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "a folder with a long name, " / "and within it another one with a name as long as that"
    (cache / "models").mkdir(parents=True)
    model = cache / "models" / known_model("smollm2-135m").file
    model.touch()
    monkeypatch.setenv("LLM4TAG_CACHE_DIR", str(cache))
    assert f" {model} " in llm4tag("model", "list").stdout


def test_a_model_that_nobody_knows_gives_1() -> None:
    for command in (("pull", "gpt-9"), ("serve", "gpt-9")):
        done = llm4tag("model", *command)
        assert done.exit_code == 1, done.output
        assert "gpt-9: there is no such local model; give one of qwen2.5-coder-1.5b" in done.stderr


def test_serving_a_model_that_is_not_here_says_how_to_get_it() -> None:
    done = llm4tag("model", "serve")
    assert done.exit_code == 1
    assert "llm4tag model pull qwen2.5-coder-1.5b" in done.stderr


def test_a_model_that_the_hub_lacks_gives_1() -> None:
    done = llm4tag("model", "pull", "smollm2-135m", "--source", "hub")
    assert done.exit_code == 1
    assert "give packages as --source" in done.stderr
