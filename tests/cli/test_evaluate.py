"""The command ``evaluate``: figures, samples, output files."""

import json
from pathlib import Path

import pytest

from llm4tag.evaluation import sample_ids
from tests.fakes.command_line import llm4tag
from tests.fakes.jsonl_files import jsonl, written

LABELLED = (
    {"id": "1", "text": "a web browser", "tags": ["web"]},
    {"id": "2", "text": "mail on the web", "tags": ["Mail", "web"]},
    {"id": "3", "text": "a mail reader", "tags": ["mail", "no such tag"]},
)


@pytest.fixture
def labelled(tmp_path: Path) -> str:
    return jsonl(tmp_path / "dev.jsonl", *LABELLED)


def test_figures_keep_the_contract(store: Path, labelled: str, tmp_path: Path) -> None:
    target = tmp_path / "figures.json"
    done = llm4tag("evaluate", labelled, "--store", store, "--no-llm", "--json", target)
    assert done.exit_code == 0, done.output
    figures = json.loads(target.read_text())
    assert {"documents", "pairs", "prevalence", "metrics", "cost"} <= figures.keys()
    assert set(figures["metrics"]) == {
        "p@1", "f1@5", "ndcg@10", "rp@5", "rp@10", "recall@10", "recall@50", "auroc", "log_loss", "brier", "ece",
    }  # fmt: skip
    assert {"llm_calls", "prompt_tokens", "completion_tokens", "seconds"} <= figures["cost"].keys()
    assert (figures["documents"], figures["metrics"]["p@1"]) == (3, 1)
    # Gold 3 has a tag that no vocabulary knows: it stays in the count.
    assert figures["metrics"]["recall@50"] == pytest.approx((1 + 1 + 1 / 2) / 3)
    assert figures["losses"]["outside_vocabulary"] == 1
    assert "'no such tag' is no tag of the vocabulary: it counts as a tag that is never found" in done.stderr
    assert figures["settings"]["model"] is None
    assert "recall@50" in done.stdout


def test_json_on_stdout_is_json_alone(store: Path, labelled: str) -> None:
    done = llm4tag("evaluate", labelled, "--store", store, "--no-llm", "--json", "-")
    assert json.loads(done.stdout)["documents"] == 3
    assert "recall@50" in done.stderr


def test_a_sample_is_the_first_by_hash(store: Path, labelled: str, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    args = ("evaluate", labelled, "--store", store, "--no-llm", "--json", "-", "-o", out)
    done = llm4tag(*args, "--limit", 2, "--seed", 5)
    figures = json.loads(done.stdout)
    assert (figures["documents"], figures["sample"]) == (2, {"limit": 2, "seed": 5})
    assert {row["id"] for row in written(out)} == sample_ids("123", 2, 5)
    every = llm4tag(*args)
    assert "2 of 3 contents are tagged already" in every.stderr
    assert json.loads(every.stdout)["documents"] == 3
    smaller = llm4tag(*args, "--limit", 1)
    assert json.loads(smaller.stdout)["documents"] == 1


def test_results_in_a_file_and_in_memory_measure_the_same(store: Path, labelled: str, tmp_path: Path) -> None:
    args = ("evaluate", labelled, "--store", store, "--no-llm", "--json", "-")
    in_memory = json.loads(llm4tag(*args).stdout)
    saved = json.loads(llm4tag(*args, "-o", tmp_path / "out.jsonl").stdout)
    assert in_memory["metrics"] == pytest.approx(saved["metrics"])
    tagged = llm4tag("tag", labelled, "--store", store, "--no-llm", "-o", tmp_path / "out.jsonl")
    assert "3 of 3 contents are tagged already" in tagged.stderr


def test_within_measures_that_part_alone(store: Path, labelled: str) -> None:
    args = ("evaluate", labelled, "--store", store, "--no-llm", "--json", "-", "--within")
    done = llm4tag(*args, "net")
    figures = json.loads(done.stdout)
    assert (figures["documents"], figures["outside_within"]) == (2, 3)
    assert figures["metrics"]["recall@50"] == 1
    assert figures["metrics"]["auroc"] is None
    assert "3 gold tags that are not under 'net' are left out" in done.stderr
    assert llm4tag(*args, "nowhere").exit_code == 2


def test_rows_without_gold_are_set_aside(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = jsonl(tmp_path / "dev.jsonl", LABELLED[0], {"id": "4", "text": "web"}, {"text": "web", "tags": ["web"]})
    done = llm4tag("evaluate", file, "--store", store, "--no-llm", "--json", "-")
    assert done.exit_code == 3
    assert json.loads(done.stdout)["documents"] == 1
    assert [row["field"] for row in written(tmp_path / "dev.jsonl.rejected.jsonl")] == ["tags", "id"]
    nothing = jsonl(tmp_path / "none.jsonl", {"id": "4", "text": "web"})
    assert llm4tag("evaluate", nothing, "--store", store, "--no-llm").exit_code == 2
    assert [row["field"] for row in written(tmp_path / "none.jsonl.rejected.jsonl")] == ["tags"]


def test_tags_of_a_model_are_no_gold(store: Path, tmp_path: Path) -> None:
    row = {
        "id": "1",
        "text": "a web browser",
        "assignments": [{"tag": "web"}, {"tag": "mail", "provenance": "model"}],
    }
    done = llm4tag("evaluate", jsonl(tmp_path / "dev.jsonl", row), "--store", store, "--no-llm", "--json", "-")
    assert json.loads(done.stdout)["losses"]["gold"] == 1


def test_outputs_that_cannot_be_are_refused_before_the_run(store: Path, labelled: str, tmp_path: Path) -> None:
    args = ("evaluate", labelled, "--store", store, "--no-llm")
    done = llm4tag(*args, "--json", tmp_path / "none" / "figures.json")
    assert done.exit_code == 2
    assert "there is no folder" in done.stderr
    assert llm4tag(*args, "-o", "-").exit_code == 2
