"""One fixture that opens stores of every backend: a backend passes the contract by joining its params."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from knowledge_store import KnowledgeStore
from knowledge_store.embedded import EmbeddedStore
from tests.fakes.embedder import fake_embedder
from tests.weaviate_server import Server, running


class StoreFactory(Protocol):
    async def __call__(
        self, name: str = "store", *, embedding: str | None = "fake", create: bool = True
    ) -> KnowledgeStore:
        """Open the store of that name, closed when the test ends."""


@pytest.fixture(scope="session")
def weaviate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that all tests share, each with stores of its own."""
    with running(tmp_path_factory.mktemp("weaviate")) as server:
        yield server


@pytest.fixture(params=["embedded", pytest.param("weaviate", marks=pytest.mark.weaviate)])
async def open_stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreFactory]:
    opened: list[KnowledgeStore] = []
    prefix = f"t{uuid.uuid4().hex[:12]}"

    async def embedded(
        name: str = "store", *, embedding: str | None = "fake", create: bool = True
    ) -> KnowledgeStore:
        path = tmp_path / "stores" / f"{name}.llm4tag"
        store = await EmbeddedStore.open(path, fake_embedder, embedding=embedding, create=create)
        opened.append(store)
        return store

    async def on_server(
        name: str = "store", *, embedding: str | None = "fake", create: bool = True
    ) -> KnowledgeStore:
        from knowledge_store.weaviate import WeaviateStore
        from knowledge_store.weaviate.location import parse_location

        location = parse_location(request.getfixturevalue("weaviate").store(f"{prefix}{name}"))
        store = await WeaviateStore.open(location, fake_embedder, embedding=embedding, create=create)
        opened.append(store)
        return store

    if request.param == "embedded":
        yield embedded
    else:
        request.getfixturevalue("weaviate")
        yield on_server
    for store in opened:
        await store.close()
    if request.param == "weaviate":
        request.getfixturevalue("weaviate").drop(prefix)


@pytest.fixture
async def store(open_stores: StoreFactory) -> KnowledgeStore:
    return await open_stores()
