"""The command ``calibrate``, and decisions by a calibrator."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from llm4tag.tools.artifacts import CalibratorKind, load_calibrator
from tests.fakes.command_line import ask, llm4tag
from tests.fakes.jsonl_files import jsonl, written
from tests.fakes.openai_server import Failure, FakeOpenAI, Reply

KINDS = (("a {} page for the web", ["web"]), ("{} letters by mail", ["mail"]), ("web {} and mail", ["web"]))
"""Texts in turn: the words mislead in every third."""


def rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [
        {"id": f"c{number}", "text": KINDS[number % 3][0].format(f"number{number}"), "tags": KINDS[number % 3][1]}
        for number in range(start, start + count)
    ]


@pytest.fixture
def labelled(tmp_path: Path) -> str:
    return jsonl(tmp_path / "labelled.jsonl", *rows(60))


@pytest.fixture
def new(tmp_path: Path) -> str:
    return jsonl(tmp_path / "new.jsonl", *({k: row[k] for k in ("id", "text")} for row in rows(9, 100)))


def decisions(out: Path) -> list[tuple[str, float, str, str]]:
    return [
        (tag["id"], tag["confidence"], tag["decision"], tag["calibration"]["status"])
        for line in written(out)
        for tag in line["tags"]
    ]


def test_calibrate_then_accept_by_error(full: Path, labelled: str, new: str, tmp_path: Path) -> None:
    figures, out = tmp_path / "figures.json", tmp_path / "out.jsonl"
    done = llm4tag("calibrate", labelled, "--store", full, "--no-llm", "--json", figures, "--confidence", 0.8)
    assert done.exit_code == 0, done.output
    printed = json.loads(figures.read_text())
    assert (printed["documents"], printed["level"]) == (60, 0.8)
    by_name = {one["name"]: one["metrics"] for one in printed["measured"]}
    assert by_name["calibrated"]["log_loss"]["value"] < by_name["constant"]["log_loss"]["value"]
    assert {one["target"] for one in printed["guarantees"]} == {0.02, 0.05, 0.1, 0.2}
    smallest = printed["smallest_target"]
    assert f"The smallest target that these documents support is {smallest:g}" in " ".join(done.stdout.split())
    assert "right tags that the labels lack" in " ".join(done.stdout.split())
    args = ("tag", new, "--store", full, "--no-llm", "-o", out, "--overwrite")
    assert llm4tag(*args, "--max-error", smallest).exit_code == 0
    found = decisions(out)
    saved = ask(full, lambda store: load_calibrator(store, CalibratorKind.LABELS))
    assert saved is not None
    threshold = saved.threshold(smallest)
    assert threshold is not None
    assert {status for *_, status in found} == {"calibrated"}
    assert all(
        (decision == "accept") == (confidence >= threshold.confidence) for _, confidence, decision, _ in found
    )
    assert any(decision == "accept" for _, _, decision, _ in found)
    assert {line["tags"][0]["calibration"]["calibrator"] for line in written(out)} == {printed["calibrator"]}
    (passport,) = json.loads(llm4tag("store", "passport", "--store", full, "--json").stdout)
    assert (passport["documents"], passport["conditions"]["model"]) == (60, None)
    assert passport["metrics"]["ece"] == by_name["calibrated"]["ece"]
    assert (
        "that the share of wrong tags stays within a target"
        in llm4tag("store", "passport", "--store", full).stdout
    )
    # Without a target, thresholds decide on the calibrated confidence.
    assert llm4tag(*args, "--accept-at", 0.6).exit_code == 0
    assert [d for _, _, d, _ in decisions(out)] == [
        "accept" if confidence >= 0.6 else "review" if confidence >= 0.2 else "reject"
        for _, confidence, _, _ in found
    ]


def test_a_target_below_what_is_supported_accepts_nothing_and_says_so(
    full: Path, labelled: str, new: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert llm4tag("calibrate", labelled, "--store", full, "--no-llm").exit_code == 0
    out = tmp_path / "out.jsonl"
    monkeypatch.setenv("LLM4TAG_MAX_ERROR", "0.001")
    done = llm4tag("tag", new, "--store", full, "--no-llm", "-o", out)
    assert done.exit_code == 0, done.output
    printed = "the 60 documents of the calibrator do not support an error of at most 0.001"
    assert printed in done.stderr
    assert all(any(printed in note for note in line["notes"]) for line in written(out))
    assert {(decision, status) for _, _, decision, status in decisions(out)} <= {
        ("review", "calibrated"),
        ("reject", "calibrated"),
    }
    explicit = llm4tag("evaluate", labelled, "--store", full, "--no-llm", "--max-error", "0.45", "--json", "-")
    assert json.loads(explicit.stdout)["settings"]["max_error"] == "0.45", "explicit beats environment"
    assert "nothing is accepted" not in explicit.stderr


def test_other_conditions_are_estimated_and_named(full: Path, labelled: str, new: str, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    args = ("tag", new, "--store", full, "--no-llm", "-o", out, "--overwrite", "--max-error", 0.2)
    before = llm4tag(*args)
    assert "an error of at most 0.2 needs a calibrator, but the store has no calibrator" in before.stderr
    assert "no calibrator: run `llm4tag calibrate FILE`" in llm4tag("store", "passport", "--store", full).stderr
    assert llm4tag("calibrate", labelled, "--store", full, "--no-llm").exit_code == 0
    measured = llm4tag("explain", "web mail", "--store", full, "--no-llm").stdout
    assert re.search(r"1\. .*  [01]\.\d\d calibrated\n", measured)
    assert "estimated" not in measured
    tags = jsonl(tmp_path / "more.jsonl", {"id": "news", "name": "News"})
    assert llm4tag("ingest", "vocabulary", tags, "--store", full).exit_code == 0
    done = llm4tag(*args)
    assert "the store's calibrator was fitted under other conditions: vocabulary (then " in done.stderr
    assert {(decision, status) for _, _, decision, status in decisions(out) if decision == "accept"} == set()
    assert {status for *_, status in decisions(out)} == {"estimated"}
    drawn = " ".join(llm4tag("explain", "web mail", "--store", full, "--no-llm").stdout.split())
    reason = "the store's calibrator was fitted under other conditions: vocabulary"
    assert re.search(rf" [01]\.\d\d estimated \({reason} \(then", drawn)
    refused = llm4tag(*args, "--uncalibrated")
    assert refused.exit_code == 2
    assert "--uncalibrated: contradicts a limit of the error, which needs the calibrator" in refused.stderr


def test_a_run_goes_on_and_too_little_is_refused(full: Path, labelled: str, tmp_path: Path) -> None:
    out = tmp_path / "tagged.jsonl"
    args = ("calibrate", labelled, "--store", full, "--no-llm", "-o", out)
    few = llm4tag(*args, "--limit", 19)
    assert few.exit_code == 2
    assert "19 labelled documents, at least 20 are needed" in few.stderr
    assert llm4tag(*args, "--limit", 30).exit_code == 0
    again = llm4tag(*args)
    assert again.exit_code == 0, again.output
    assert "30 of 60 contents are tagged already" in again.stderr
    assert {status for *_, status in decisions(out)} == {"estimated"}, "it fits on what no calibrator touched"
    strange = jsonl(tmp_path / "strange.jsonl", *({**row, "tags": ["no such tag"]} for row in rows(25)))
    other = llm4tag("calibrate", strange, "--store", full, "--no-llm")
    assert other.exit_code == 2
    assert "0 are right" in other.stderr


def test_signals_of_an_llm_are_weighed_and_without_them_it_is_estimated(
    full: Path, labelled: str, new: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM4TAG_API_KEY", "none")
    monkeypatch.setenv("LLM4TAG_MAX_ATTEMPTS", "1")
    figures, out = tmp_path / "figures.json", tmp_path / "out.jsonl"
    with FakeOpenAI() as fake:

        def answer(request: dict[str, Any]) -> Reply:
            prompt = json.dumps(request["messages"])
            if not request.get("logprobs"):
                return Reply('{"tags": ["Web"]}')
            # A judge that sees through what misleads the words.
            yes = ('deal with \\"Mail' in prompt) == ("letters" in prompt)
            return Reply("Yes", first_token={"Yes": -0.2 if yes else -1.0, "No": -1.7 if yes else -0.46})

        fake.chat = answer
        served = ("--store", full, "--model", "openai/x", "--api-base", fake.api_base)
        done = llm4tag("calibrate", labelled, *served, "--json", figures)
        assert done.exit_code == 0, done.output
        printed = json.loads(figures.read_text())
        assert {"p_yes", "agreement"} & {column.split()[0] for column in printed["signals"]}
        by_name = {one["name"]: one["metrics"]["log_loss"]["value"] for one in printed["measured"]}
        assert {"p_yes alone", "agreement alone", "fixed weights"} <= by_name.keys()
        assert by_name["calibrated"] < by_name["recall alone"]
        assert llm4tag("tag", new, *served, "-o", out).exit_code == 0
        assert {status for *_, status in decisions(out)} == {"calibrated"}
        alone = llm4tag(
            "tag", new, "--store", full, "--no-llm", "-o", tmp_path / "alone.jsonl", "--max-error", 0.2
        )
        assert "the store has no calibrator for results without an LLM" in alone.stderr
        fake.chat = lambda _: Failure(500, "down")
        down = llm4tag("tag", new, *served, "-o", out, "--overwrite", "--no-cache", "--max-error", 0.4)
    assert down.exit_code == 3, down.output
    lines = written(out)
    assert {tag["calibration"]["status"] for line in lines for tag in line["tags"]} == {"estimated"}
    assert "the LLM failed" in lines[0]["tags"][0]["calibration"]["reason"]
    assert all(tag["decision"] != "accept" for line in lines for tag in line["tags"])
