"""Fixtures of the command line: stores and files that commands work on."""

from pathlib import Path

import pytest

from tests.fakes.command_line import TAGS, llm4tag
from tests.fakes.jsonl_files import jsonl


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Make a store with a small vocabulary."""
    location = tmp_path / "my.store"
    tags = jsonl(tmp_path / "tags.jsonl", *TAGS)
    groups = jsonl(tmp_path / "groups.jsonl", {"id": "net", "name": "Network"})
    done = llm4tag("ingest", "vocabulary", tags, "--groups", groups, "--store", location, "--embedding", "none")
    assert done.exit_code == 0, done.output
    return location


@pytest.fixture
def full(store: Path, tmp_path: Path) -> Path:
    """Give the store a little history."""
    rows = [
        {"id": f"h{number}", "text": text, "tags": tags}
        for number, (text, tags) in enumerate(
            [("browser for the web", ["web"]), ("mail reader", ["mail"]), ("web mail", ["web", "mail"])]
        )
    ]
    done = llm4tag("ingest", "history", jsonl(tmp_path / "history.jsonl", *rows), "--store", store)
    assert done.exit_code == 0, done.output
    return store
