"""What is down, and why."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llm4tag.graphs.context import close_shared_runtimes
from llm4tag.schema.options import TagOptions
from llm4tag.serving.health import Health, Readiness
from tests.fakes.openai_server import FakeOpenAI


@pytest.fixture(autouse=True)
async def closed() -> AsyncIterator[None]:
    """Close what a test opened on its loop."""
    yield
    await close_shared_runtimes()


async def asked(store: Path | str, **options: object) -> Readiness:
    return await Health(TagOptions.checked(store=str(store), **options)).readiness()


async def test_recall_alone_needs_a_store(served_store: Path, tmp_path: Path) -> None:
    up = await asked(served_store, use_llm=False)
    assert up.ready
    assert (up.store.status, up.model.status) == ("up", "off")
    down = await asked(tmp_path / "none.llm4tag", use_llm=False)
    assert not down.ready
    assert down.store.status == "down"
    assert "none.llm4tag" in down.store.why
    assert down.without_reasons().model_dump() == {
        "ready": False,
        "store": {"status": "down", "why": ""},
        "model": {"status": "off", "why": ""},
    }


async def test_a_server_that_is_gone(tmp_path: Path) -> None:
    down = await asked("weaviate://127.0.0.1:9/none?grpc_port=9", use_llm=False)
    assert down.store.status == "down"
    assert "127.0.0.1:9" in down.store.why


async def test_a_model_behind_an_address(
    served_store: Path, served_fake: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM4TAG_API_KEY", "right-key")
    there = {"model": "openai/fake", "api_base": served_fake.api_base}
    assert (await asked(served_store, **there)).ready
    monkeypatch.setattr(served_fake, "key", "another-key")
    refused = await asked(served_store, **there)
    assert not refused.ready
    assert "refuses the key; set LLM4TAG_API_KEY" in refused.model.why
    gone = await asked(served_store, model="openai/fake", api_base="http://user:secret@127.0.0.1:9/v1")
    assert gone.store.status == "up"
    assert "http://127.0.0.1:9/v1" in gone.model.why
    assert "secret" not in gone.model.why


async def test_a_providers_model_is_not_asked(served_store: Path) -> None:
    found = await asked(served_store, model="openai/gpt-4.1-mini")
    assert found.ready
    assert found.model.status == "not asked"


async def test_a_local_model_must_be_here(served_store: Path) -> None:
    found = await asked(served_store, model="local/qwen2.5-coder-0.5b")
    assert not found.ready
    assert "the model is not on this machine; download the model" in found.model.why
