"""Opening a store by its location, and copying one store to another location."""

from pathlib import Path

from llm4tag.knowledge_store.location import (
    WEAVIATE_SCHEME,
    is_address,
    parse_weaviate_location,
    scheme_of,
)
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.knowledge_store.records import Writing
from llm4tag.models.embedder import Embedder, Progress
from llm4tag.schema import StoreError, UsageError, settings

_PATH = "give the path of a file, such as tags.llm4tag"


async def open_store(
    location: str,
    *,
    embedding: str | None = None,
    create: bool = False,
    migrate: bool = False,
    cache_dir: Path | None = None,
) -> KnowledgeStore:
    """Open the knowledge store at a location, or make a new one there.

    Args:
        location: path of an embedded store's file, or ``weaviate://host:port/name``.
        embedding: name of the embedding model; None takes the one that the store recorded, and for a new store
            the default.
        create: make the store, with its parent folders, if there is none.
        migrate: bring a store of an older version up to date, if that can be done in place.
        cache_dir: folder in which computed embeddings are cached; None takes the one of the settings.

    Raises:
        StoreNotFoundError: there is no store, and ``create`` is false.
        StoreVersionError: the store was written by an incompatible version.
        EmbeddingMismatchError: another model filled the store.
        UsageError: the location cannot be read.
        StoreError: no backend opens such a location.
        ModelNotFoundError: ``embedding`` is a local model that is not installed.
    """
    if not location.strip():
        raise StoreError("the store's location is empty", remedy=_PATH)
    cache = cache_dir if cache_dir is not None else settings().cache_dir

    def embedders(name: str) -> Embedder | None:
        from llm4tag.models.embedder_registry import make_embedder

        return make_embedder(name, cache)

    if is_address(location) and scheme_of(location) == WEAVIATE_SCHEME:
        # Importing the client takes a second.
        from llm4tag.knowledge_store.weaviate import WeaviateStore

        return await WeaviateStore.open(
            parse_weaviate_location(location), embedders, embedding=embedding, create=create, migrate=migrate
        )
    if is_address(location):
        raise StoreError(
            f"no store is opened by {scheme_of(location)}://",
            where=location,
            remedy=f"{_PATH}, or {WEAVIATE_SCHEME}://host:port",
        )
    from llm4tag.knowledge_store.embedded import EmbeddedStore

    return await EmbeddedStore.open(Path(location).expanduser(), embedders, embedding=embedding, create=create)


async def copy_store(source: str, target: str, progress: Progress | None = None) -> Writing:
    """Copy a whole store, with vectors and centre, so that the copy ranks exactly as the original does.

    Args:
        source: location of the store to copy.
        target: location of the copy; a store with the source's embedding model is made if there is none.
        progress: called with the number of objects just written.

    Returns:
        What was written to the target.

    Raises:
        UsageError: source and target are the same.
        EmbeddingMismatchError: another model filled the target.
        StoreError: one of the stores failed; what was written stays, and the same call resumes the copy.
    """
    if source == target:
        raise UsageError("a store cannot be copied onto itself", where=source, remedy="name another target")
    async with (
        await open_store(source) as origin,
        await open_store(target, embedding=origin.embedding, create=True) as copy,
    ):
        return await copy.import_records(origin.export(), progress)
