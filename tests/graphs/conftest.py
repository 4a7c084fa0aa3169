"""A small real store, and a scripted LLM behind a real HTTP endpoint."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from llm4tag.graphs.context import close_shared_runtimes
from llm4tag.schema.options import TagOptions
from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.scripted_llm import api_key, fake  # noqa: F401
from tests.fakes.small_store import store, vocabulary_store  # noqa: F401


@pytest.fixture(autouse=True)
async def closed_resources() -> AsyncIterator[None]:
    """Close the resources that a test opened on its loop."""
    yield
    await close_shared_runtimes()


@pytest.fixture
def options(store: str, fake: FakeOpenAI) -> Callable[..., TagOptions]:  # noqa: F811
    """Return a maker of options with the store and the fake LLM."""

    def make(**chosen: Any) -> TagOptions:
        given = {"store": store, "model": "openai/fake", "api_base": fake.api_base, "max_rounds": 1, **chosen}
        return TagOptions(**given)

    return make
