"""One server for all tests of its API, with a scripted LLM behind it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import Assignment, TaggedContent
from llm4tag.serving.api_keys import Scope, add
from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.scripted_llm import likes
from tests.fakes.serve_process import ApiKeys, ServeProcess, running
from tests.fakes.small_store import HISTORY, TAGS


def small_store(location: Path) -> Path:
    """Make a store with tags and tagged history; words only."""

    async def make() -> None:
        async with await open_store(str(location), embedding="none", create=True) as opened:
            await opened.upsert_tags(TAGS)
            history = [
                TaggedContent(id=name, text=text, assignments=tuple(Assignment(tag=tag) for tag in tags))
                for name, text, tags in HISTORY
            ]
            await opened.upsert_contents(history)

    asyncio.run(make())
    return location


@pytest.fixture(scope="session")
def served_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that servers share."""
    return small_store(tmp_path_factory.mktemp("served") / "small.llm4tag")


@pytest.fixture(scope="session")
def served_fake() -> Iterator[FakeOpenAI]:
    """The LLM behind the server; its model likes mail and clients."""
    with FakeOpenAI() as fake:
        yield fake


@pytest.fixture
def fake(served_fake: FakeOpenAI) -> FakeOpenAI:
    """The same, as it was at first."""
    served_fake.chat = likes("Mail", "Client")
    served_fake.chat_requests.clear()
    return served_fake


@pytest.fixture(scope="session")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server's keys are."""
    return tmp_path_factory.mktemp("keys") / "keys.json"


@pytest.fixture(scope="session")
def keys(keys_file: Path) -> ApiKeys:
    """Keys that the server knows."""
    return ApiKeys(
        read=add(keys_file, "reader", Scope.READ),
        one=add(keys_file, "one", Scope.TAG),
        other=add(keys_file, "other", Scope.TAG),
        admin=add(keys_file, "boss", Scope.ADMIN),
    )


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory,
    served_store: Path,
    served_fake: FakeOpenAI,
    keys: ApiKeys,
    keys_file: Path,
) -> Iterator[ServeProcess]:
    """The server; its own key is that of ``one``."""
    options = ("--store", served_store, "--model", "openai/fake", "--api-base", served_fake.api_base)
    limits = ("--samples", 2, "--max-rounds", 1, "--concurrency", 4, "--keys", keys_file, "--no-cache")
    with running(tmp_path_factory.mktemp("server"), *options, *limits, LLM4TAG_API_KEY="test-key") as started:
        started.key = keys.one
        yield started
