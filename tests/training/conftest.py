"""Fixtures of training: an open store with history, without and with embeddings."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llm4tag.knowledge_store.embedded.embedded_store import EmbeddedStore
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.training.tagged_history import History, load_history
from tests.fakes.embedder import fake_embedder
from tests.fakes.history import fill


@pytest.fixture(params=["none", "fake"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[KnowledgeStore]:
    """Return an open store with 300 tagged contents, without and with embeddings."""
    path = tmp_path / "store.llm4tag"
    async with await EmbeddedStore.open(path, fake_embedder, embedding=request.param, create=True) as opened:
        await fill(opened)
        yield opened


@pytest.fixture
async def history(store: KnowledgeStore) -> History:
    """Return what people tagged in the store."""
    return await load_history(store)
