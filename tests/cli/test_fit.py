"""Fitting recall from the command line."""

from pathlib import Path

import pytest

from llm4tag.tools.artifacts import recall_fit_id
from tests.fakes.command_line import ask, llm4tag
from tests.fakes.history import TOPICS, contents
from tests.fakes.jsonl_files import jsonl


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Return a vocabulary and 220 tagged contents as files."""
    tags = jsonl(tmp_path / "tags.jsonl", *({"id": name, "name": name.capitalize()} for name in TOPICS))
    rows = [{"id": c.id, "text": c.text, "tags": [item.tag for item in c.assignments]} for c in contents(220)]
    return tags, jsonl(tmp_path / "history.jsonl", *rows)


@pytest.fixture
def filled(files: tuple[str, str], tmp_path: Path) -> Path:
    """Return a store with the vocabulary."""
    location = tmp_path / "fit.llm4tag"
    assert llm4tag("ingest", "vocabulary", files[0], "--store", location, "--embedding", "none").exit_code == 0
    return location


def fit_of(location: Path) -> str | None:
    return ask(location, recall_fit_id)


def test_ingest_fits_where_it_is_due_and_not_again(files: tuple[str, str], filled: Path) -> None:
    done = llm4tag("ingest", "history", files[1], "--store", filled)
    assert done.exit_code == 0
    assert "linear scorer fitted on 220 contents, 6 tags" in done.stderr
    assert "contents with 3 tags or more" in done.stderr
    first = fit_of(filled)
    assert first is not None
    again = llm4tag("ingest", "history", files[1], "--store", filled)
    assert (again.exit_code, again.stderr) == (0, "")
    assert fit_of(filled) == first
    assert llm4tag("ingest", "history", files[1], "--fit", "--store", filled).exit_code == 0
    assert fit_of(filled) != first


def test_fit_by_hand(files: tuple[str, str], filled: Path) -> None:
    assert llm4tag("ingest", "history", files[1], "--no-fit", "--store", filled).stderr == ""
    assert fit_of(filled) is None
    done = llm4tag("store", "fit", "--fewest-tags", 2, "--without", "c2t", "--store", filled)
    assert done.exit_code == 0
    assert "contents with 2 tags or more" in done.stderr
    done = llm4tag("store", "fit", "--fewest-tags", 9, "--store", filled)
    assert "no fusion fitted: fewer than 50 contents" in done.stderr
    wrong = llm4tag("store", "fit", "--without", "c3t", "--store", filled)
    assert wrong.exit_code == 2
    assert "not one of 'c2t', 'c2c2t', 'linear', 't2t'" in " ".join(wrong.stderr.replace("│", " ").split())


def test_too_little_history_is_reported(filled: Path, tmp_path: Path) -> None:
    few = jsonl(tmp_path / "few.jsonl", {"id": "1", "text": "imap", "tags": ["mail"]})
    assert llm4tag("ingest", "history", few, "--store", filled).stderr == ""
    done = llm4tag("store", "fit", "--store", filled)
    assert done.exit_code == 0
    assert "nothing fitted: 1 tagged contents, at least 200 are needed" in done.stderr


def test_tagging_options_reach_the_recipe(files: tuple[str, str], filled: Path, tmp_path: Path) -> None:
    assert llm4tag("ingest", "history", files[1], "--store", filled).exit_code == 0
    new = jsonl(tmp_path / "new.jsonl", {"id": "n", "text": "imap inbox"})
    args = ("tag", new, "-o", "-", "--store", filled, "--no-llm")
    assert '"recipe":"learned"' in llm4tag(*args).stdout
    assert '"recipe":"history"' in llm4tag(*args, "--recipe", "history").stdout
    off = llm4tag(*args, "--without", "linear", "--without", "c2t").stdout
    assert '"recipe":"history"' in off
    assert '"path":"linear"' not in off
    assert '"path":"c2t"' not in off
    assert llm4tag(*args, "--recipe", "guess").exit_code == 2
