"""Opening a store for a command that may make it."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm4tag.knowledge_store.protocol import KnowledgeStore


async def open_or_make(
    location: str, embedding: str | None, *, check: Callable[[], None] | None = None, migrate: bool = False
) -> "KnowledgeStore":
    """Open a store, or make one; a new one fixes its embedding, so all that can be wrong is found out before.

    Args:
        location: of the store.
        embedding: what it is, or is to be, filled with.
        check: of the input, before anything is opened.
        migrate: bring a store of an older version up to date.

    Raises:
        UsageError: what ``check`` raises.
        ModelError: the embedding model of a new store cannot be used.
        StoreError: the store failed.
    """
    from llm4tag.knowledge_store.stores import open_store
    from llm4tag.models.embedder_registry import check_embedding
    from llm4tag.schema import DEFAULT_EMBEDDING, StoreNotFoundError

    if check is not None:
        await asyncio.to_thread(check)
    try:
        return await open_store(location, embedding=embedding, migrate=migrate)
    except StoreNotFoundError:
        await check_embedding(embedding or DEFAULT_EMBEDDING)
        return await open_store(location, embedding=embedding, create=True)
