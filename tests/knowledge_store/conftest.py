"""One fixture that opens stores of every backend: a backend passes the contract by joining its params."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from knowledge_store import KnowledgeStore
from knowledge_store.embedded import EmbeddedStore
from tests.fakes.embedder import fake_embedder


class StoreFactory(Protocol):
    async def __call__(
        self, name: str = "store", *, embedding: str | None = "fake", create: bool = True
    ) -> KnowledgeStore:
        """Open the store of that name, closed when the test ends."""


@pytest.fixture(params=["embedded"])
async def open_stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreFactory]:
    opened: list[KnowledgeStore] = []

    async def embedded(
        name: str = "store", *, embedding: str | None = "fake", create: bool = True
    ) -> KnowledgeStore:
        path = tmp_path / "stores" / f"{name}.llm4tag"
        store = await EmbeddedStore.open(path, fake_embedder, embedding=embedding, create=create)
        opened.append(store)
        return store

    yield {"embedded": embedded}[request.param]
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_stores: StoreFactory) -> KnowledgeStore:
    return await open_stores()
