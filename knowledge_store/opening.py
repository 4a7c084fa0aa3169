"""Opening a store by its location."""

from pathlib import Path

from knowledge_store.protocol import KnowledgeStore
from models.embedding import Embedder
from schema import StoreError, settings


async def open_store(
    location: str, *, embedding: str | None = None, create: bool = False, cache_dir: Path | None = None
) -> KnowledgeStore:
    """Open the knowledge store at a location, or make one.

    Args:
        location: path of an embedded store's file.
        embedding: the embedding model; None takes what the store recorded or, for a new one, the default.
        create: make the store, with its parent folders, where there is none.
        cache_dir: where computed embeddings are kept; None takes the setting.

    Raises:
        StoreNotFoundError: no store there, and ``create`` is false.
        StoreVersionError: a store of another version.
        EmbeddingMismatchError: a store that another model filled.
        StoreError: no location that this version can open.
        ModelNotFoundError: ``embedding`` is a local model that is not installed.
    """
    if "://" in location:
        scheme = location.partition("://")[0]
        raise StoreError(
            f"{location}: this version opens embedded stores only, not {scheme}://; give the path of a file, "
            "such as tags.llm4tag"
        )
    if not location.strip():
        raise StoreError("the store's location is empty; give the path of a file, such as tags.llm4tag")
    from knowledge_store.embedded import EmbeddedStore

    path = Path(location).expanduser()
    cache = cache_dir if cache_dir is not None else settings().cache_dir
    return await EmbeddedStore.open(path, lambda name: _embedder(name, cache), embedding=embedding, create=create)


def _embedder(name: str, cache_dir: Path) -> Embedder | None:
    from models.embeddings import make_embedder

    return make_embedder(name, cache_dir)
