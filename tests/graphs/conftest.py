"""A small real store, and a scripted LLM behind a real HTTP endpoint."""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llm4tag.graphs.context import TagOptions
from llm4tag.graphs.runtime import close_shared_runtimes
from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import Assignment, Passage, Tag, TaggedContent
from tests.fakes.openai_server import FakeOpenAI, Reply

TAGS = [
    Tag(id="mail", name="Mail", description="Electronic letters", aliases=("e-mail",), parents=("topic",)),
    Tag(id="chess", name="Chess", aliases=("chess game",), parents=("games",)),
    Tag(id="games", name="Games", parents=("topic",)),
    Tag(id="web", name="Web", aliases=("world wide web",), parents=("topic",)),
    Tag(id="server", name="Server", parents=("role",)),
    Tag(id="client", name="Client", parents=("role",)),
    Tag(id="secret", name="Secret", parents=("role",), retired=True),
    Tag(id="topic", name="Topic", group=True),
    Tag(id="role", name="Role", group=True),
]
HISTORY = [
    ("h1", "imap mail reader for the terminal", ("mail", "client")),
    ("h2", "graphical mail reader with address book", ("mail", "client")),
    ("h3", "fast mail transport daemon", ("mail", "server")),
    ("h4", "play chess against the computer on a board", ("chess", "games")),
    ("h5", "chess board with opening book", ("chess", "games")),
    ("h6", "web browser for the desktop", ("web", "client")),
    ("h7", "small web daemon that serves pages", ("web", "server")),
    ("h8", "card game collection", ("games",)),
]


@pytest.fixture
async def store(tmp_path: Path) -> str:
    """Return the location of a store with tags, tagged history and a passage; words only."""
    location = str(tmp_path / "store.llm4tag")
    async with await open_store(location, embedding="none", create=True) as opened:
        await opened.upsert_tags(TAGS)
        await opened.upsert_contents(
            [
                TaggedContent(id=id_, text=text, assignments=tuple(Assignment(tag=tag) for tag in tags))
                for id_, text, tags in HISTORY
            ]
        )
        await opened.upsert_passages([Passage(id="p1", title="IMAP", text="IMAP is a protocol to read mail.")])
    return location


@pytest.fixture
async def vocabulary_store(tmp_path: Path) -> str:
    """Return the location of a store with tags alone."""
    location = str(tmp_path / "vocabulary.llm4tag")
    async with await open_store(location, embedding="none", create=True) as opened:
        await opened.upsert_tags(TAGS)
    return location


@pytest.fixture(autouse=True)
async def closed_resources() -> AsyncIterator[None]:
    """Close what a test opened on its loop."""
    yield
    await close_shared_runtimes()


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


@pytest.fixture
def options(store: str, fake: FakeOpenAI) -> Callable[..., TagOptions]:
    """Return a maker of options with the store and the fake LLM."""

    def make(**chosen: Any) -> TagOptions:
        given = {"store": store, "model": "openai/fake", "api_base": fake.api_base, "max_rounds": 1, **chosen}
        return TagOptions(**given)

    return make


@pytest.fixture(autouse=True)
def api_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the OpenAI client a key; the fake takes any."""
    monkeypatch.setenv("LLM4TAG_API_KEY", "test-key")
