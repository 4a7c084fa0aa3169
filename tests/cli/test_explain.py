"""The command ``explain``: the evidence of a text, a content or a result."""

import json
import re
from pathlib import Path

import pytest

from tests.fakes.command_line import llm4tag
from tests.fakes.jsonl_files import jsonl


@pytest.fixture
def full(store: Path, tmp_path: Path) -> Path:
    """Give the store a history of one content with a terminal's control characters in it."""
    row = {"id": "h1", "text": "browser \x1b[31mfor the web", "tags": ["web"]}
    done = llm4tag("ingest", "history", jsonl(tmp_path / "history.jsonl", row), "--store", store)
    assert done.exit_code == 0, done.output
    return store


def words(text: str) -> str:
    """Return text without the lines of its tree and without wrapping."""
    return " ".join(text.replace("│", " ").replace("├──", " ").replace("└──", " ").split())


def test_a_text(full: Path) -> None:
    done = llm4tag("explain", "a web browser", "--store", full, "--no-llm")
    assert done.exit_code == 0, done.output
    printed = words(done.stdout)
    assert "1. Web [web]" in printed
    decided = r"1\. Web \[web\] (accept|review) [01]\.\d\d estimated \(the store has no calibrator"
    assert re.search(decided, printed)
    assert "1 of 1 similar contents carry it, 1 by people" in printed
    assert "h1 (similarity 1.00, tagged by people): browser" in printed
    assert "its name 'Web' is in the text word for word" in printed
    assert "\x1b" not in done.stdout
    assert "no LLM was asked" in printed


def test_a_content_of_a_file(full: Path, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "new.jsonl", {"id": "a", "text": "mail"}, {"id": "b", "text": "web"})
    done = llm4tag("explain", file, "--id", "b", "--store", full, "--no-llm", "--show", 1)
    assert done.exit_code == 0, done.output
    assert "1. Web [web]" in words(done.stdout)
    assert "2. " not in done.stdout
    done = llm4tag("explain", file, "--id", "c", "--store", full, "--no-llm")
    assert done.exit_code == 2
    assert "no content 'c'" in done.stderr


def test_a_result_of_an_output_file(full: Path, tmp_path: Path) -> None:
    file, out = jsonl(tmp_path / "new.jsonl", {"id": "a", "text": "a web browser"}), tmp_path / "out.jsonl"
    assert llm4tag("tag", file, "--store", full, "-o", out, "--no-llm").exit_code == 0
    line = json.loads(out.read_text())
    line["off_vocabulary"] = [{"name": "Browsing\x1b]0;owned", "count": 2}]
    line["tags"][0]["signals"] |= {"agreement": 0.667, "samples": 3, "p_yes": 0.91, "yes_no_mass": 1.0}
    out.write_text(json.dumps(line) + "\n")
    done = llm4tag("explain", "--result", out, "--id", "a", "--store", full)
    assert done.exit_code == 0, done.output
    printed = words(done.stdout)
    assert "the LLM: named in 2 of 3 answers, judged yes with probability 0.91" in printed
    assert "'Browsing\\x1b]0;owned' (2x)" in printed
    assert "browser" in printed
    line["degraded"] = "the model is down"
    out.write_text(json.dumps(line) + "\n")
    done = llm4tag("explain", "--result", out, "--id", "a", "--store", full)
    assert done.exit_code == 3
    assert "Degraded: the model is down" in words(done.stdout)


def test_what_cannot_be_explained(full: Path, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "new.jsonl", {"id": "a", "text": "mail"})
    for args, printed in (
        ((), "nothing to explain"),
        ((" ",), "the text is blank"),
        ((file,), "is a file; name one of its contents with --id"),
        (("missing.jsonl",), "missing.jsonl: no such file; check the path"),
        (("--result", file), "one of its results is to be explained; name it with --id"),
        (("--result", file, "--id", "a"), "field 'tags'"),
        (("text", "--result", file, "--id", "a"), "give one of them"),
        (("--result", tmp_path / "gone.jsonl", "--id", "a"), "cannot be read"),
    ):
        done = llm4tag("explain", *args, "--store", full, "--no-llm")
        assert done.exit_code == 2, done.output
        assert printed in words(done.stderr)


def test_a_text_on_stdin(full: Path) -> None:
    done = llm4tag("explain", "-", "--store", full, "--no-llm", given="a web\nbrowser\n")
    assert "1. Web [web]" in words(done.stdout)
