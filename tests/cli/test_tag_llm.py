"""``llm4tag tag`` with an LLM: one that answers, one that is down, one that can never answer."""

from pathlib import Path

import pytest

from tests.fakes.command_line import ROWS, ids, llm4tag
from tests.fakes.jsonl_files import jsonl, written
from tests.fakes.openai_server import Failure, FakeOpenAI, Reply


def test_a_model_that_is_down_degrades_and_gives_3(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM4TAG_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("LLM4TAG_API_KEY", "none")
    out, file = tmp_path / "out.jsonl", jsonl(tmp_path / "new.jsonl", *ROWS)
    args = ("tag", file, "--store", full, "-o", out, "--model", "openai/x", "--api-base", "http://127.0.0.1:9/v1")
    done = llm4tag(*args)
    assert done.exit_code == 3, done.output
    assert "3 results are degraded, 3 of them for this reason: openai/x at http://127.0.0.1:9/v1: " in done.stderr
    assert "is a server running at" in done.stderr
    assert "3 contents: at most" in done.stderr
    assert "at an unknown price" in done.stderr
    assert all(line["degraded"] for line in written(out))
    assert {line["id"]: line["tags"][0]["id"] for line in written(out)} == {"1": "web", "2": "mail", "3": "web"}
    again = llm4tag(*args)
    assert again.exit_code == 3
    assert "0 tagged" in again.stderr
    assert "is a server running at" in again.stderr
    retried = llm4tag(*args, "--retry-degraded")
    assert retried.exit_code == 3
    assert "3 results are degraded: their contents are tagged again" in retried.stderr
    assert "3 tagged" in retried.stderr


def test_a_model_that_can_never_answer_gives_1_and_keeps_nothing(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, file = tmp_path / "out.jsonl", jsonl(tmp_path / "new.jsonl", *ROWS)
    args = ("tag", file, "--store", full, "-o", out)
    unknown = llm4tag(*args, "--model", "nobody-has-this")
    assert unknown.exit_code == 1, unknown.output
    assert "give model as PROVIDER/NAME" in unknown.stderr
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    keyless = llm4tag(*args, "--model", "openai/x")
    assert keyless.exit_code == 1, keyless.output
    assert "set OPENAI_API_KEY or LLM4TAG_API_KEY;" in keyless.stderr
    monkeypatch.setenv("LLM4TAG_API_KEY", "wrong-key-of-the-test")
    with FakeOpenAI() as fake:
        served = (*args, "--model", "openai/x", "--api-base", fake.api_base)
        fake.key = "right-key-of-the-test"
        refused = llm4tag(*served)
        assert refused.exit_code == 1, refused.output
        assert "LLM4TAG_API_KEY to a key that may use this model" in refused.stderr
        assert "degraded" not in refused.stderr
        fake.key = None
        fake.chat = lambda _: Failure(404, "no model x")
        missing = llm4tag(*served)
        assert missing.exit_code == 1
        assert "no model x; name a model that the provider has as model" in missing.stderr
        assert out.read_bytes() == b""
        fake.chat = lambda _: Reply('{"tags": ["Web"]}')
        repaired = llm4tag(*served)
    assert repaired.exit_code == 0, repaired.output
    assert ids(out) == ["1", "2", "3"]


def test_a_local_model_that_is_not_here_or_broken_gives_1_and_says_what_to_do(full: Path, tmp_path: Path) -> None:
    file, out = jsonl(tmp_path / "new.jsonl", *ROWS), tmp_path / "out.jsonl"
    # The cascade may have nothing to ask of a content, which then needs no model.
    done = llm4tag("tag", file, "--store", full, "-o", out, "--no-cascade")
    assert done.exit_code == 1
    assert "download the model (`llm4tag model pull qwen2.5-coder-1.5b`)" in done.stderr
    assert out.read_bytes() == b""
    assert llm4tag("explain", "web", "--store", full, "--no-cascade").exit_code == 1
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"not a model")
    done = llm4tag("tag", file, "--store", full, "-o", out, "--model", f"local/{broken}")
    assert done.exit_code == 1
    assert "broken.gguf: the local server did not start" in done.stderr


def test_max_cost_stops_before_anything_is_asked(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM4TAG_API_KEY", "none")
    out, file = tmp_path / "out.jsonl", jsonl(tmp_path / "new.jsonl", *ROWS)
    args = ("tag", file, "--store", full, "-o", out, "--api-base", "http://127.0.0.1:9/v1", "--max-cost", "0.001")
    known = llm4tag(*args, "--model", "openai/gpt-4.1-mini")
    assert known.exit_code == 1, known.output
    assert "--max-cost: the run may cost $0.0235, above the $0.0010 allowed" in known.stderr
    assert out.read_bytes() == b""
    unknown = llm4tag(*args, "--model", "openai/my-own")
    assert unknown.exit_code == 2
    assert "cannot be observed" in unknown.stderr


def test_the_llm_is_asked_once_and_its_answers_replayed(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM4TAG_API_KEY", "none")
    out, file = tmp_path / "out.jsonl", jsonl(tmp_path / "new.jsonl", *ROWS)
    with FakeOpenAI() as fake:
        yes = Reply("Yes", first_token={"Yes": -0.1, "No": -2.3})
        fake.chat = lambda request: yes if request.get("logprobs") else Reply('{"tags": ["Web", "Netting"]}')
        args = ("tag", file, "--store", full, "-o", out, "--model", "openai/x", "--api-base", fake.api_base)
        done = llm4tag(*args, "--concurrency", 2)
        assert done.exit_code == 0, done.output
        asked = len(fake.chat_requests)
        first = written(out)
        assert sum(line["usage"]["llm_calls"] for line in first) == asked > 0
        again = llm4tag(*args, "--overwrite")
        assert again.exit_code == 0, again.output
        assert len(fake.chat_requests) == asked
        assert "3 tagged, 0 LLM calls (" in again.stderr
    best = {line["id"]: line["tags"][0] for line in first}["1"]
    llm = best["signals"]
    assert (best["id"], llm["agreement"]) == ("web", 1)
    assert llm["p_yes"] == pytest.approx(0.9, abs=0.01)
    assert [item["name"] for item in first[0]["off_vocabulary"]] == ["Netting"]
    replayed = {line["id"]: line["tags"] for line in written(out)}
    assert replayed == {line["id"]: line["tags"] for line in first}
