"""What the stores of all backends do in the same way."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from llm4tag.knowledge_store.importer import Importer, ImportTarget
from llm4tag.knowledge_store.protocol import Collection, Hit, KnowledgeStore, SearchQuery
from llm4tag.knowledge_store.records import Record, Writing
from llm4tag.knowledge_store.store_embedding import Embedders, StoreEmbedding
from llm4tag.models.embedder import Progress, Vector


class StoreBase(KnowledgeStore, ABC):
    """The methods of a store that need nothing of its backend but other methods.

    Args:
        embedding: the store's own embedder.
        embedders: makes an embedder by name, None for ``none``.
    """

    def __init__(self, embedding: StoreEmbedding, embedders: Embedders) -> None:
        self._embedding = embedding
        self._embedders = embedders

    @property
    def embedding(self) -> str:
        """Name of the embedding model that filled the store, or ``none``."""
        return self._embedding.name

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def search(self, collection: Collection, query: SearchQuery) -> list[Hit]:
        """Search one collection.

        Hits among units are ``UnitHit``; groups and retired tags are never found.

        Raises:
            UsageError: the collection does not have a filter or property, or the parent is unknown.
        """
        return (await self.search_many(collection, [query]))[0]

    async def embed_query(self, text: str) -> Vector | None:
        """Embed a content to search with; return None in a store without embeddings."""
        found = await self.embed_queries([text])
        return None if found is None else found[0]

    async def import_records(self, records: AsyncIterator[Record], progress: Progress | None = None) -> Writing:
        """Write exported records; their vectors are taken over if the embedding model is the same."""
        return await Importer(self, self._import_target()).run(records, progress)

    async def reembed(self, embedding: str, progress: Progress | None = None) -> None:
        """Embed everything again with another model (or ``none``); searches see the old vectors until all is done.

        It can be resumed: vectors that were computed before an interruption come from the embedding cache.
        """
        new = await StoreEmbedding.make(self._embedders, embedding, self.location)
        try:
            await self._reembed(new, progress)
        except BaseException:
            await new.close()
            raise
        await self._embedding.replace_by(new)

    @abstractmethod
    def _import_target(self) -> ImportTarget:
        """Return where the importer writes."""

    @abstractmethod
    async def _reembed(self, embedding: StoreEmbedding, progress: Progress | None) -> None:
        """Replace all vectors by those of another embedder."""
