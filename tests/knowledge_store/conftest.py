"""One fixture that opens stores of every backend: a backend passes the contract by joining its params."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llm4tag.knowledge_store import KnowledgeStore
from tests.fakes.stores import StoreFactory, open_fake


@pytest.fixture(params=["embedded", pytest.param("weaviate", marks=pytest.mark.weaviate)])
async def open_stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreFactory]:
    opened: list[KnowledgeStore] = []
    prefix = f"t{uuid.uuid4().hex[:12]}"

    async def opens(name: str = "store", *, embedding: str | None = "fake", create: bool = True) -> KnowledgeStore:
        if request.param == "embedded":
            location = str(tmp_path / "stores" / f"{name}.llm4tag")
        else:
            location = request.getfixturevalue("weaviate").store(f"{prefix}{name}")
        store = await open_fake(location, embedding=embedding, create=create)
        opened.append(store)
        return store

    if request.param == "weaviate":
        request.getfixturevalue("weaviate")
    yield opens
    for store in opened:
        await store.close()
    if request.param == "weaviate":
        request.getfixturevalue("weaviate").drop(prefix)


@pytest.fixture
async def store(open_stores: StoreFactory) -> KnowledgeStore:
    return await open_stores()
