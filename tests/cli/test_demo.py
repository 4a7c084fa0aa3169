"""The command ``demo`` and the slice of data that it ships."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from llm4tag.demo_store import demo_file
from llm4tag.knowledge_store.word_tokens import tokens
from tests.fakes.command_line import llm4tag, statistics


def rows(name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in Path(demo_file(name)).read_text(encoding="utf-8").splitlines()]


def test_the_slice_is_small_whole_and_noticed() -> None:
    folder = Path(demo_file("NOTICE")).parent
    assert sum(file.stat().st_size for file in folder.iterdir()) < 600 * 1024
    for word in ("Debian", "debtags vocabulary 2.1.5", "id of a document names the package"):
        assert word in " ".join(Path(demo_file("NOTICE")).read_text().split())
    names = ("tags.jsonl", "history.jsonl", "knowledge.jsonl", "labelled.jsonl")
    assert [len(rows(name)) for name in names] == [463, 500, 150, 40]
    known = {row["id"] for row in rows("tags.jsonl")}
    for row in (*rows("history.jsonl"), *rows("labelled.jsonl")):
        assert isinstance(row["tags"], list)
        assert known.issuperset(row["tags"])


def test_what_is_measured_is_not_in_the_store() -> None:
    history = {str(row["id"]): set(tokens(str(row["text"]))) for row in rows("history.jsonl")}
    for row in rows("labelled.jsonl"):
        assert row["id"] not in history
        own = set(tokens(str(row["text"])))
        nearest = max(len(own & other) / len(own | other) for other in history.values())
        assert nearest < 0.6


@pytest.mark.shared
def test_the_slice_is_cut_by_its_rule(shared_data: Path, tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "demo_slice.py"
    subprocess.run([sys.executable, script, shared_data / "debtags", "--to", tmp_path], check=True)
    for file in tmp_path.iterdir():
        assert file.read_bytes() == Path(demo_file(file.name)).read_bytes()
    assert len(list(tmp_path.iterdir())) == 5


def test_the_demo_without_an_llm(tmp_path: Path) -> None:
    store = tmp_path / "demo.store"
    # Made beforehand without embeddings, which are most of the demo's time.
    args = ("ingest", "vocabulary", demo_file("tags.jsonl"), "--store", store, "--embedding", "none")
    assert llm4tag(*args).exit_code == 0
    done = llm4tag("demo", "--no-llm", "--limit", 2, "--store", store)
    assert done.exit_code == 0, done.output
    found = statistics(store)
    assert (found.tags, found.groups, found.contents, found.passages) == (463, 25, 500, 150)
    for words in (
        "tagged from recall alone",
        " estimated",
        "given by",
        "recall@50",
        "llm4tag explain",
        "NOTICE",
    ):
        assert words in done.stdout
    again = llm4tag("demo", "--no-llm", "--limit", 1, "--store", store)
    assert again.exit_code == 0
    assert statistics(store).contents == 500


def test_without_a_model_it_goes_on_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = tmp_path / "demo.store"
    args = ("ingest", "vocabulary", demo_file("tags.jsonl"), "--store", store, "--embedding", "none")
    assert llm4tag(*args).exit_code == 0
    done = llm4tag("demo", "--limit", 1, "--store", store)
    assert done.exit_code == 3
    assert "going on with recall alone, as with --no-llm" in " ".join(done.stderr.split())
    assert "tagged from recall alone" in done.stdout
