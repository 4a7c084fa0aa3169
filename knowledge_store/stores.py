"""Opening a store by its location."""

from pathlib import Path

from llm4tag.knowledge_store.location import WEAVIATE_SCHEME, is_address, scheme_of
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.models.embedder import Embedder
from llm4tag.schema import StoreError, settings


async def open_store(
    location: str,
    *,
    embedding: str | None = None,
    create: bool = False,
    migrate: bool = False,
    cache_dir: Path | None = None,
) -> KnowledgeStore:
    """Open the knowledge store at a location, or make one.

    Args:
        location: path of an embedded store's file, or ``weaviate://host:port/name``.
        embedding: the embedding model; None takes what the store recorded or, for a new one, the default.
        create: make the store, with its parent folders, where there is none.
        migrate: bring a store of an older version up to date, where that can be done in place.
        cache_dir: where computed embeddings are kept; None takes the setting.

    Raises:
        StoreNotFoundError: no store there, and ``create`` is false.
        StoreVersionError: a store of another version.
        EmbeddingMismatchError: a store that another model filled.
        UsageError: a location that cannot be read.
        StoreError: no location that this version can open.
        ModelNotFoundError: ``embedding`` is a local model that is not installed.
    """
    if not location.strip():
        raise StoreError("the store's location is empty; give the path of a file, such as tags.llm4tag")
    cache = cache_dir if cache_dir is not None else settings().cache_dir

    def embedders(name: str) -> Embedder | None:
        from llm4tag.models.embedder_registry import make_embedder

        return make_embedder(name, cache)

    if is_address(location) and scheme_of(location) == WEAVIATE_SCHEME:
        # Importing the client takes a second.
        from llm4tag.knowledge_store.weaviate import WeaviateStore
        from llm4tag.knowledge_store.weaviate.address import parse_location

        return await WeaviateStore.open(
            parse_location(location), embedders, embedding=embedding, create=create, migrate=migrate
        )
    if is_address(location):
        raise StoreError(
            f"{location}: no store is opened by {scheme_of(location)}://; give the path of a file, "
            "such as tags.llm4tag, or weaviate://host:port"
        )
    from llm4tag.knowledge_store.embedded import EmbeddedStore

    return await EmbeddedStore.open(Path(location).expanduser(), embedders, embedding=embedding, create=create)
