"""The keys file, and the commands that keep it."""

from pathlib import Path

import pytest

from llm4tag.schema import UsageError
from llm4tag.serving.api_keys import Scope, add, find, load, remove
from tests.fakes.command_line import llm4tag


def test_only_the_hash_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "made" / "keys.json"
    key = add(path, "newsroom", Scope.TAG)
    assert len(key) > 40
    assert key not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    found = find(load(path), key)
    assert found is not None
    assert (found.name, found.scope) == ("newsroom", Scope.TAG)
    assert find(load(path), key[:-1]) is None
    assert find(load(path), found.sha256) is None
    with pytest.raises(UsageError, match="there is a key 'newsroom'"):
        add(path, "newsroom", Scope.ADMIN)
    remove(path, "newsroom")
    assert load(path) == ()
    with pytest.raises(UsageError, match="no key 'newsroom'; there are none"):
        remove(path, "newsroom")


def test_wrong_files_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text('{"keys": [{"name": "a", "scope": "all", "sha256": "x", "made": "now"}]}')
    with pytest.raises(UsageError, match=r"keys\.json, keys\.0\.scope"):
        load(path)
    with pytest.raises(UsageError, match="letters, digits"):
        add(tmp_path / "other.json", "two words", Scope.TAG)


def test_the_commands(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    made = llm4tag("keys", "add", "newsroom", "--keys", path)
    assert made.exit_code == 0, made.output
    assert find(load(path), made.stdout.strip()) is not None
    llm4tag("keys", "add", "ops", "--scope", "admin", "--keys", path)
    listed = llm4tag("keys", "list", "--keys", path).stdout
    assert [line.split("\t")[:2] for line in listed.splitlines()] == [["newsroom", "tag"], ["ops", "admin"]]
    assert llm4tag("keys", "remove", "newsroom", "--keys", path).exit_code == 0
    assert [key.name for key in load(path)] == ["ops"]
    assert llm4tag("keys", "remove", "newsroom", "--keys", path).exit_code == 2
