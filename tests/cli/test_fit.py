"""Fitting recall from the command line."""

import json
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
    assert "prior of recall moved by 220 contents" in done.stderr
    assert "confidences calibrated on 220 contents" in done.stderr
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
    done = llm4tag("store", "fit", "--fewest-tags", 3, "--without", "c2t", "--store", filled)
    assert done.exit_code == 0
    assert "contents with 3 tags or more" in done.stderr
    done = llm4tag("store", "fit", "--fewest-tags", 9, "--store", filled)
    assert done.exit_code == 0, done.output
    assert "prior of recall left as it is" in done.stderr
    wrong = llm4tag("store", "fit", "--without", "c3t", "--store", filled)
    assert wrong.exit_code == 2
    assert "not one of 'c2t', 'c2c2t', 'linear', 't2t'" in " ".join(wrong.stderr.replace("│", " ").split())


def test_too_little_history_is_reported(filled: Path, tmp_path: Path) -> None:
    few = jsonl(tmp_path / "few.jsonl", {"id": "1", "text": "imap", "tags": ["mail"]})
    assert llm4tag("ingest", "history", few, "--store", filled).stderr == ""
    done = llm4tag("store", "fit", "--store", filled)
    assert done.exit_code == 0
    assert "nothing fitted: 1 tagged contents, at least 2 are needed" in done.stderr


def test_a_little_history_is_fitted_on_as_it_comes(files: tuple[str, str], filled: Path, tmp_path: Path) -> None:
    rows = [
        {"id": "1", "text": "reads imap letters", "tags": ["mail"]},
        {"id": "2", "text": "a board, a rook and a bishop", "tags": ["chess"]},
    ]
    done = llm4tag("ingest", "history", jsonl(tmp_path / "two.jsonl", *rows), "--store", filled)
    assert done.exit_code == 0, done.output
    assert "linear scorer fitted on 2 contents, 2 tags" in done.stderr
    assert "confidences are estimated: 100 tagged contents would calibrate them" in done.stderr
    first = fit_of(filled)
    assert first is not None
    more = jsonl(tmp_path / "more.jsonl", {"id": "3", "text": "a link in a browser", "tags": ["web"]})
    assert "linear scorer fitted on 3 contents" in llm4tag("ingest", "history", more, "--store", filled).stderr
    assert fit_of(filled) != first


def test_results_name_the_prior_and_the_fit_and_paths_can_be_left_out(
    files: tuple[str, str], filled: Path, tmp_path: Path
) -> None:
    new = jsonl(tmp_path / "new.jsonl", {"id": "n", "text": "imap inbox"})
    args = ("tag", new, "-o", "-", "--store", filled, "--no-llm")
    before = json.loads(llm4tag(*args).stdout)["origin"]
    assert (before["fit"], before["fitted_on"]) == (None, None)
    assert llm4tag("ingest", "history", files[1], "--store", filled).exit_code == 0
    after = json.loads(llm4tag(*args).stdout)["origin"]
    assert after["prior"] == before["prior"] != ""
    assert (after["fit"], after["fitted_on"]) == (fit_of(filled), 220)
    off = llm4tag(*args, "--without", "linear", "--without", "c2t").stdout
    assert '"path":"c2c2t"' in off
    assert '"path":"linear"' not in off
    assert '"path":"c2t"' not in off
    gone = llm4tag(*args, "--recipe", "history")
    assert gone.exit_code == 2
    assert "--recipe" in gone.stderr
