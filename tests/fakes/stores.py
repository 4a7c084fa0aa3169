"""Stores of either backend whose embedder is the small fake one."""

from pathlib import Path
from typing import Protocol

from llm4tag.knowledge_store import KnowledgeStore
from llm4tag.knowledge_store.embedded import EmbeddedStore
from tests.fakes.embedder import fake_embedder


async def open_fake(
    location: str, *, embedding: str | None = None, create: bool = False, migrate: bool = False
) -> KnowledgeStore:
    """Open the store at a location, or make it."""
    if not location.startswith("weaviate://"):
        return await EmbeddedStore.open(Path(location), fake_embedder, embedding=embedding, create=create)
    from llm4tag.knowledge_store.location import parse_weaviate_location
    from llm4tag.knowledge_store.weaviate import WeaviateStore

    return await WeaviateStore.open(
        parse_weaviate_location(location), fake_embedder, embedding=embedding, create=create, migrate=migrate
    )


class StoreFactory(Protocol):
    """Opens stores of one backend for a test."""

    async def __call__(
        self, name: str = "store", *, embedding: str | None = "fake", create: bool = True
    ) -> KnowledgeStore:
        """Open the store of that name, closed when the test ends."""
