"""Fixtures of the model tests: a fake provider, and the real local model."""

from collections.abc import AsyncIterator, Iterator

import pytest

from llm4tag.models import CachedModel, open_llm
from llm4tag.schema import Settings, settings
from tests.fakes.openai_server import FakeOpenAI


@pytest.fixture
def fake() -> Iterator[FakeOpenAI]:
    """A loopback provider, scripted by the test."""
    with FakeOpenAI() as server:
        yield server


@pytest.fixture
def fake_settings(fake: FakeOpenAI) -> Settings:
    """Settings under which the model is the fake provider."""
    return settings(model="openai/fake", api_base=fake.api_base, api_key="secret-of-the-test", timeout=5.0)


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow each other at once."""
    from llm4tag.models import provider

    monkeypatch.setattr(provider, "_wait", lambda state: 0.0)


@pytest.fixture
async def llm(fake_settings: Settings) -> AsyncIterator[CachedModel]:
    """The fake provider's model, open."""
    model = await open_llm(fake_settings)
    yield model
    await model.close()
