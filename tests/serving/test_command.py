"""``llm4tag serve`` before it serves: what it refuses, and what it would do."""

import json
import socket
from importlib import metadata
from pathlib import Path

import pytest

from llm4tag.serving.api_keys import Scope, add
from tests.fakes.command_line import llm4tag


@pytest.fixture(autouse=True)
def own_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A keys file that does not exist yet, as the default."""
    path = tmp_path / "config" / "keys.json"
    monkeypatch.setattr("llm4tag.serving.api_keys.user_config_path", lambda _: path.parent)
    return path


def test_settings_are_shown_without_secrets(
    served_store: Path, monkeypatch: pytest.MonkeyPatch, own_keys: Path
) -> None:
    key = add(own_keys, "newsroom", Scope.TAG)
    monkeypatch.setenv("LLM4TAG_API_KEY", "secret-key")
    monkeypatch.chdir(served_store.parent)
    base = "http://user:password@127.0.0.1:9/v1"
    shown = llm4tag(
        *("serve", "--store", served_store.name, "--model", "openai/x", "--api-base", base),
        *("--max-error", "0.05", "--port", "8123", "--show-settings"),
    )
    assert shown.exit_code == 0, shown.output
    printed = json.loads(shown.stdout)
    assert printed["options"]["store"] == str(served_store)
    assert printed["options"]["max_error"] == 0.05
    assert printed["settings"]["api_key"] == "**********"
    assert printed["keys"] == {"newsroom": "tag"}
    assert printed["address"] == "http://127.0.0.1:8123"
    assert printed["cors"] == []
    for secret in ("secret-key", "password", key):
        assert secret not in shown.output


@pytest.mark.parametrize(
    ("found", "printed"),
    [
        (None, "is not installed; install what the server needs (`pip install 'llm4tag[serve]'`)"),
        ("0.8.7", "is 0.8.7, and 0.16"),
    ],
)
def test_a_missing_or_an_old_server_package_is_reported(
    served_store: Path, monkeypatch: pytest.MonkeyPatch, found: str | None, printed: str
) -> None:
    def version(name: str) -> str:
        if found is None:
            raise metadata.PackageNotFoundError(name)
        return found

    monkeypatch.setattr("llm4tag.serving.launch.version", version)
    refused = llm4tag("serve", "--store", served_store, "--no-llm")
    assert refused.exit_code == 2
    assert printed in refused.output


def test_no_store_is_reported_before_anything_is_served(tmp_path: Path) -> None:
    refused = llm4tag("serve", "--store", tmp_path / "none.llm4tag", "--no-llm")
    assert refused.exit_code == 1
    assert "none.llm4tag" in refused.output


def test_a_taken_port_is_reported(served_store: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = llm4tag("serve", "--store", served_store, "--no-llm", "--port", port)
    assert refused.exit_code == 2
    assert "give another --port" in refused.output


def test_what_others_reach_needs_saved_keys(served_store: Path, tmp_path: Path) -> None:
    refused = llm4tag("serve", "--store", served_store, "--no-llm", "--host", "0.0.0.0")
    assert refused.exit_code == 2
    assert "llm4tag keys add" in refused.output
    none = llm4tag("serve", "--store", served_store, "--no-llm", "--keys", tmp_path / "none.json")
    assert none.exit_code == 2
    assert "holds no key" in none.output
