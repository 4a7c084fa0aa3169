"""The command ``tag`` without an LLM: result lines, formats, resumption, exit codes."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm4tag.result_files import settings_path
from tests.fakes.command_line import ROWS, ids, llm4tag
from tests.fakes.jsonl_files import jsonl, written


def test_result_lines_keep_the_contract(full: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    file = jsonl(tmp_path / "new.jsonl", *ROWS)
    done = llm4tag("tag", file, "--store", full, "-o", out, "--no-llm")
    assert (done.exit_code, done.stdout) == (0, ""), done.output
    assert f"3 tagged; 3 results in {out}" in done.stderr
    assert ids(out) == ["1", "2", "3"]
    for line in written(out):
        assert {"id", "tags", "off_vocabulary", "degraded", "rounds", "usage"} <= line.keys()
        assert (line["off_vocabulary"], line["degraded"]) == ([], None)
        assert {"llm_calls", "prompt_tokens", "completion_tokens", "seconds"} <= line["usage"].keys()
        assert line["usage"]["llm_calls"] == 0
        confidences = [tag["confidence"] for tag in line["tags"]]
        assert confidences == sorted(confidences, reverse=True)
        for tag in line["tags"]:
            assert {"id", "name", "confidence", "decision", "calibration", "evidence"} <= tag.keys()
            assert 0 <= tag["confidence"] <= 1
            assert tag["decision"] in {"accept", "review", "reject"}
            assert tag["calibration"]["status"] == "estimated"
            assert tag["calibration"]["reason"]
            assert tag["evidence"]
            assert all({"path", "score"} <= item.keys() for item in tag["evidence"])
    best = {line["id"]: line["tags"][0]["id"] for line in written(out)}
    assert best == {"1": "web", "2": "mail", "3": "web"}


def test_formats(full: Path, tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text('id,text\n7,"web, and more"\n8,mail\n')
    (tmp_path / "n.txt").write_text("web browser\n\nmail\n")
    pq.write_table(pa.table({"id": [1, 2], "text": ["web", "mail"]}), tmp_path / "n.parquet")
    for name, count in (("n.csv", 2), ("n.txt", 2), ("n.parquet", 2)):
        out = tmp_path / f"{name}.out"
        done = llm4tag("tag", tmp_path / name, "--store", full, "-o", out, "--no-llm")
        assert done.exit_code == 0, done.output
        assert len(ids(out)) == count
    assert ids(tmp_path / "n.csv.out") == ["7", "8"]
    assert all(one.startswith("sha256:") for one in ids(tmp_path / "n.txt.out"))


def test_stdin_to_stdout(full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    done = llm4tag("tag", "-", "--store", full, "-o", "-", "--no-llm", given="a web page\n")
    assert done.exit_code == 0, done.output
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["tags"][0]["id"] == "web"
    assert set(tmp_path.iterdir()) == before


def test_bad_rows_are_set_aside_and_give_3(full: Path, tmp_path: Path) -> None:
    out = tmp_path / "results" / "out.jsonl"
    out.parent.mkdir()
    file = jsonl(tmp_path / "new.jsonl", ROWS[0], '{"id": "2"', {"id": "3"}, {"id": "1", "text": "again"})
    done = llm4tag("tag", file, "--store", full, "-o", out, "--no-llm")
    assert done.exit_code == 3
    assert ids(out) == ["1"]
    rejects = written(out.parent / "new.jsonl.rejected.jsonl")
    assert [(row["line"], row["field"]) for row in rejects] == [(2, ""), (3, "text"), (4, "id")]
    assert all(row["remedy"] for row in rejects)
    assert f"set aside: {file}:2: not JSON" in done.stderr
    assert "3 set aside in" in done.stderr
    elsewhere = tmp_path / "bad.jsonl"
    done = llm4tag("tag", file, "--store", full, "-o", out, "--no-llm", "--rejects", elsewhere)
    assert done.exit_code == 3
    assert len(written(elsewhere)) == 3


def test_nothing_usable_gives_2(full: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    for file in (jsonl(tmp_path / "bad.jsonl", {"id": "1"}), jsonl(tmp_path / "empty.jsonl"), "gone.jsonl"):
        done = llm4tag("tag", file, "--store", full, "-o", out, "--no-llm")
        assert done.exit_code == 2, done.output
        assert file in done.stderr
    assert not out.exists()
    (row,) = written(tmp_path / "bad.jsonl.rejected.jsonl")
    assert (row["line"], row["field"]) == (1, "text")
    printed = llm4tag("tag", tmp_path / "bad.jsonl", "--store", full, "-o", out, "--rejects", tmp_path / "r.jsonl")
    assert f"1 set aside in {tmp_path / 'r.jsonl'}; the first: " in printed.stderr
    assert len(written(tmp_path / "r.jsonl")) == 1


def test_a_store_that_is_not_there_gives_1(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "new.jsonl", ROWS[0])
    done = llm4tag("tag", file, "--store", tmp_path / "gone.store", "-o", tmp_path / "out.jsonl", "--no-llm")
    assert done.exit_code == 1
    assert "gone.store" in done.stderr
    assert not (tmp_path / "out.jsonl").exists()


def test_a_parent_that_is_not_there_gives_2(full: Path, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "new.jsonl", *ROWS)
    done = llm4tag("tag", file, "--store", full, "-o", tmp_path / "o.jsonl", "--no-llm", "--within", "nowhere")
    assert done.exit_code == 2
    assert "nowhere" in done.stderr


def test_within_and_top(full: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    file = jsonl(tmp_path / "new.jsonl", *ROWS)
    done = llm4tag("tag", file, "--store", full, "-o", out, "--no-llm", "--within", "net")
    assert done.exit_code == 0, done.output
    assert {tag["id"] for line in written(out) for tag in line["tags"]} == {"mail"}
    done = llm4tag("tag", file, "--store", full, "-o", out, "--no-llm", "--top", 1, "--overwrite")
    assert done.exit_code == 0, done.output
    assert all(len(line["tags"]) <= 1 for line in written(out))


def test_a_rerun_goes_on_and_refuses_other_settings(full: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    first = jsonl(tmp_path / "first.jsonl", *ROWS[:2])
    every = jsonl(tmp_path / "every.jsonl", *ROWS)
    assert llm4tag("tag", first, "--store", full, "-o", out, "--no-llm").exit_code == 0
    before = out.read_bytes()
    done = llm4tag("tag", every, "--store", full, "-o", out, "--no-llm")
    assert "2 of 3 contents are tagged already" in done.stderr
    assert "1 tagged; 3 results" in done.stderr
    assert out.read_bytes().startswith(before)
    done = llm4tag("tag", every, "--store", full, "-o", out, "--no-llm", "--top", 7)
    assert done.exit_code == 2
    assert "top (then 50, now 7)" in done.stderr
    assert "--overwrite" in done.stderr
    assert "vocabulary" not in done.stderr
    done = llm4tag("tag", every, "--store", full, "-o", out, "--no-llm", "--top", 7, "--overwrite")
    assert (done.exit_code, ids(out)) == (0, ["1", "2", "3"])
    assert json.loads(settings_path(out).read_text())["top"] == "7"


def test_a_rerun_knows_the_store_by_any_spelling_and_what_it_holds(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonl"
    file = jsonl(tmp_path / "new.jsonl", *ROWS)
    assert llm4tag("tag", file, "--store", full, "-o", out, "--no-llm", "--accept-at", 0).exit_code == 0
    before = out.read_bytes()
    monkeypatch.chdir(tmp_path)
    args = ("tag", file, "--store", full.name, "-o", out, "--no-llm", "--accept-at", 0)
    again = llm4tag(*args)
    assert again.exit_code == 0, again.output
    assert "3 of 3 contents are tagged already" in again.stderr
    assert llm4tag("accept", out, "--store", full).exit_code == 0
    changed = llm4tag(*args)
    assert changed.exit_code == 2
    assert "store_holds (then 3 contents, 3 of them tagged by people," in changed.stderr
    assert "accepted tags change results" in changed.stderr
    assert "--overwrite" in changed.stderr
    assert out.read_bytes() == before
    assert llm4tag(*args, "--overwrite").exit_code == 0


def test_a_changed_text_is_tagged_again(full: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    old = jsonl(tmp_path / "a.jsonl", *ROWS)
    assert llm4tag("tag", old, "--store", full, "-o", out, "--no-llm").exit_code == 0
    new = jsonl(tmp_path / "b.jsonl", {"id": "1", "text": "reads mail"}, *ROWS[1:])
    done = llm4tag("tag", new, "--store", full, "-o", out, "--no-llm")
    assert "1 results are of contents whose text has changed" in done.stderr
    assert {line["id"]: line["tags"][0]["id"] for line in written(out)}["1"] == "mail"
    assert ids(out) == ["1", "2", "3"]


def test_a_sample(full: Path, tmp_path: Path) -> None:
    from llm4tag.evaluation import sample_ids

    file = jsonl(tmp_path / "new.jsonl", *({"id": f"c{n}", "text": f"web {n}"} for n in range(9)))
    out = tmp_path / "out.jsonl"
    done = llm4tag("tag", file, "--store", full, "-o", out, "--no-llm", "--limit", 4, "--seed", 3)
    assert done.exit_code == 0, done.output
    assert set(ids(out)) == sample_ids((f"c{n}" for n in range(9)), 4, 3)


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGKILL])
def test_stopped_and_gone_on_with(full: Path, tmp_path: Path, way: signal.Signals) -> None:
    rows: list[dict[str, Any]] = [{"id": str(number), "text": f"web mail {number}"} for number in range(150)]
    file, out = jsonl(tmp_path / "new.jsonl", *rows), tmp_path / "out.jsonl"
    args = ["tag", file, "--store", str(full), "-o", str(out), "--no-llm"]
    command = [sys.executable, "-c", "from llm4tag.cli import main; main()", *args]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not out.exists() or out.read_bytes().count(b"\n") < 5:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(way)
        _, printed = process.communicate()
    saved = out.read_bytes().count(b"\n")
    assert 5 <= saved < 150
    if way is signal.SIGINT:
        assert process.returncode == 130
        assert "results are saved in" in printed
        assert "run the same command again to go on" in printed
    else:
        with out.open("ab") as stream:
            stream.write(b'{"id": "torn", "ta')
    done = llm4tag(*args)
    assert done.exit_code == 0, done.output
    assert f"{saved} of 150 contents are tagged already" in done.stderr
    assert ("torn" in done.stderr) == (way is signal.SIGKILL)
    assert ids(out) == sorted(row["id"] for row in rows)


def test_an_output_that_cannot_be_is_refused(full: Path, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "new.jsonl", *ROWS)
    before = Path(file).read_bytes()
    for output, printed in (
        (file, "is the input"),
        (tmp_path / "none" / "out.jsonl", "there is no folder"),
        ("/dev/null", "use -o - for a stream"),
        (tmp_path, "not a regular file"),
    ):
        done = llm4tag("tag", file, "--store", full, "-o", output, "--no-llm", "--overwrite")
        assert done.exit_code == 2, done.output
        assert printed in done.stderr
    assert Path(file).read_bytes() == before


def test_a_wrong_variable_gives_2(full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM4TAG_TIMEOUT", "abc")
    file = jsonl(tmp_path / "new.jsonl", *ROWS)
    done = llm4tag("tag", file, "--store", full, "-o", tmp_path / "out.jsonl")
    assert done.exit_code == 2
    assert done.stderr.startswith("error: LLM4TAG_TIMEOUT=abc: ")


def test_thresholds_that_contradict_each_other_give_2(full: Path, tmp_path: Path) -> None:
    args = ("tag", jsonl(tmp_path / "new.jsonl", *ROWS), "--store", full, "-o", tmp_path / "out.jsonl", "--no-llm")
    done = llm4tag(*args, "--accept-at", 0.1, "--review-at", 0.9)
    assert done.exit_code == 2
    assert "--review-at: must not be above the confidence for accepting (0.1)" in done.stderr
    assert llm4tag(*args, "--accept-at", 0.1).exit_code == 0
