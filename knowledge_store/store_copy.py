"""Copying a whole store to another place, of any backend."""

from llm4tag.knowledge_store.protocol import Writing
from llm4tag.knowledge_store.stores import open_store
from llm4tag.models.embedder import Progress
from llm4tag.schema import UsageError


async def copy_store(source: str, target: str, progress: Progress | None = None) -> Writing:
    """Copy everything, vectors and centre included, so that the copy ranks as the original does.

    Args:
        source: location of a store.
        target: location of another; made, with the source's embedding model, where there is none.
        progress: called with the count of objects just written.

    Raises:
        UsageError: both are the same.
        EmbeddingMismatchError: the target was filled by another model.
        StoreError: one of them failed; what was written stays, and the same copy goes on from there.
    """
    if source == target:
        raise UsageError(f"{source}: copied onto itself; name another place to copy to")
    async with (
        await open_store(source) as origin,
        await open_store(target, embedding=origin.embedding, create=True) as copy,
    ):
        return await copy.import_records(origin.export(), progress)
