"""Stores that the tests of ingest share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import Tag


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[KnowledgeStore]:
    """Yield an empty store without embeddings."""
    async with await open_store(str(tmp_path / "a.store"), embedding="none", create=True) as opened:
        yield opened


@pytest.fixture
async def tagged(store: KnowledgeStore) -> KnowledgeStore:
    """Return a store with a small vocabulary."""
    await store.upsert_tags(
        [
            Tag(id="web", name="Web", aliases=("网络",)),
            Tag(id="mail", name="Mail"),
            Tag(id="facet", name="Facet", group=True),
        ]
    )
    return store
