"""A scripted LLM behind a real HTTP endpoint, and what its requests ask."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fakes.openai_server import FakeOpenAI, Reply


@pytest.fixture
def fake() -> Iterator[FakeOpenAI]:
    """Return a running fake server whose model likes mail and clients."""
    with FakeOpenAI() as server:
        server.chat = likes("Mail", "Client")
        yield server


def asked_labels(request: dict[str, Any]) -> list[str]:
    """Return the tags that a generation request lists, or none for another kind of request."""
    text = request["messages"][-1]["content"]
    if "in percent" in text:
        return []
    return _listed(text)


def rated_labels(request: dict[str, Any]) -> list[str]:
    """Return the tags that a request for probabilities in words lists, or none for another kind of request."""
    text = request["messages"][-1]["content"]
    return _listed(text) if "in percent" in text else []


def _listed(text: str) -> list[str]:
    listed = re.search(r"List of tags:\n((?:- .*\n)+)", text)
    return [line[2:] for line in listed.group(1).splitlines()] if listed else []


def judged_label(request: dict[str, Any]) -> str | None:
    """Return the tag that a yes/no request asks about."""
    found = re.search(r'^Does the content .* with "(.*)"\?', request["messages"][-1]["content"], re.MULTILINE)
    return found.group(1) if found else None


def likes(*labels: str, extra: tuple[str, ...] = ()) -> Callable[[dict[str, Any]], Reply]:
    """Return an answerer that names and affirms the labels, and adds ``extra`` names to each list."""

    def answer(request: dict[str, Any]) -> Reply:
        listed = asked_labels(request)
        if listed:
            return Reply(json.dumps({"tags": [label for label in listed if label in labels] + list(extra)}))
        label = judged_label(request)
        if label is None:
            return Reply("reading letters on a network")
        yes = label in labels
        return Reply(
            "Yes" if yes else "No", first_token={"Yes": -0.05 if yes else -3.0, "No": -3.0 if yes else -0.05}
        )

    return answer


@pytest.fixture(autouse=True)
def api_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the OpenAI client a key; the fake takes any."""
    monkeypatch.setenv("LLM4TAG_API_KEY", "test-key")
