import json
from pathlib import Path

from tests.cli.running import ask, llm4tag, statistics
from tests.fakes.input_files import jsonl, written


def test_status(store: Path) -> None:
    done = llm4tag("store", "status", "--store", store)
    assert done.exit_code == 0
    assert "0 human, 0 model" in done.stdout
    found = json.loads(llm4tag("store", "status", "--store", store, "--json").stdout)
    assert (found["tags"], found["groups"], found["embedding"]) == (2, 1, "none")


def test_export_and_import(store: Path, tmp_path: Path) -> None:
    history = jsonl(tmp_path / "h.jsonl", {"id": "1", "text": "浏览器", "tags": ["web"]})
    llm4tag("ingest", "history", history, "--store", store)
    file = tmp_path / "all.jsonl.gz"
    done = llm4tag("store", "export", file, "--store", store)
    assert (done.exit_code, done.stderr) == (0, f"5 records written to {file}\n")
    assert llm4tag("store", "export", file, "--store", store).exit_code == 2
    assert llm4tag("store", "export", file, "--store", store, "--overwrite").exit_code == 0
    other = tmp_path / "other.store"
    assert llm4tag("store", "import", file, "--store", other).exit_code == 0
    assert statistics(other).model_dump(exclude={"location", "bytes"}) == statistics(store).model_dump(
        exclude={"location", "bytes"}
    )
    again = llm4tag("store", "import", file, "--store", other)
    assert again.stderr == "0 added, 0 changed, 4 unchanged\n"
    plain = tmp_path / "all.jsonl"
    llm4tag("store", "export", plain, "--store", other)
    assert [line["embedding"] for line in written(plain)[:1]] == ["none"]
    assert ask(other, lambda opened: opened.get_contents(["1"]))[0].text == "浏览器"


def test_import_of_what_is_no_export(store: Path, tmp_path: Path) -> None:
    for content in ("", '{"id": "x"}\n', '{"tag": {"id": "a", "name": "A"}}\n', "{\n"):
        file = tmp_path / "x.jsonl"
        file.write_text(content)
        done = llm4tag("store", "import", file, "--store", tmp_path / "other.store")
        assert done.exit_code == 2, content
        assert str(file) in done.stderr
        assert not (tmp_path / "other.store").exists()


def test_import_of_what_is_not_there(tmp_path: Path) -> None:
    done = llm4tag("store", "import", tmp_path / "none.gz", "--store", tmp_path / "other.store")
    assert done.exit_code == 2
    assert "none.gz: no such file or directory; check the path" in done.stderr
    assert not (tmp_path / "other.store").exists()


def test_export_to_where_nothing_can_be_written(store: Path, tmp_path: Path) -> None:
    done = llm4tag("store", "export", tmp_path / "none" / "x.jsonl", "--store", store)
    assert done.exit_code == 2
    assert "no such file or directory" in done.stderr


def test_embed_and_recentre_without_vectors(store: Path) -> None:
    assert llm4tag("store", "embed", "--embedding", "none", "--store", store).exit_code == 0
    assert statistics(store).embedding == "none"
    done = llm4tag("store", "recentre", "--store", store)
    assert (done.exit_code, done.stderr) == (0, "no content has a vector; there is no centre\n")


def test_init_makes_checks_and_leaves_nothing_where_it_fails(store: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.store"
    done = llm4tag("store", "init", "--store", made, "--embedding", "none")
    assert (done.exit_code, statistics(made).embedding) == (0, "none")
    assert "is ready on SQLite" in done.stderr
    again = llm4tag("store", "init", "--store", store)
    assert "2 tags" in again.stderr
    wrong = tmp_path / "wrong.store"
    assert llm4tag("store", "init", "--store", wrong, "--embedding", "no/such-model").exit_code == 1
    assert not wrong.exists()


def test_copy_between_files(store: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.store"
    assert llm4tag("store", "copy", store, target).exit_code == 0
    assert statistics(target).vocabulary == statistics(store).vocabulary
    assert llm4tag("store", "copy", store, store).exit_code == 2
    assert llm4tag("store", "copy", tmp_path / "absent.store", target).exit_code == 1
