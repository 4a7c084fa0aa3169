"""The store's own embedder: made when first needed, checked against what the store recorded."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol, Self, runtime_checkable

from llm4tag.models.embedder import Embedder, EmbeddingKind, Vector
from llm4tag.schema import EmbeddingMismatchError

NO_EMBEDDING = "none"

Embedders = Callable[[str], Embedder | None]
"""Makes an embedder by name; None for ``none``."""


@runtime_checkable
class _Closing(Protocol):
    async def close(self) -> None: ...


class StoreEmbedding:
    """Embeds for one store.

    Args:
        embedders: makes the embedder.
        name: what the store recorded, or ``none``.
        location: the store, for messages.
    """

    def __init__(self, embedders: Embedders, name: str, location: str) -> None:
        self.name = name
        self._embedders = embedders
        self._location = location
        self._embedder: Embedder | None = None

    @classmethod
    async def of(cls, embedders: Embedders, asked: str, location: str) -> Self:
        """Make the embedder that is asked for at once, under whatever name it has."""
        embedder = await asyncio.to_thread(embedders, asked)
        made = cls(embedders, name_of(embedder), location)
        made._embedder = embedder
        return made

    def check(self, recorded: str, name: str) -> None:
        """Refuse to go on with vectors of ``name`` when the store has been embedded anew."""
        if recorded != name:
            raise EmbeddingMismatchError(
                f"{self._location}: was embedded anew with {recorded} since it was opened with {name}; "
                "open it again"
            )

    async def become(self, other: "StoreEmbedding") -> None:
        """Take over another embedder; the own one is closed."""
        await self.close()
        self.name, self._embedder = other.name, other._embedder

    async def vectors(self, texts: Sequence[str], kind: EmbeddingKind) -> list[Vector] | None:
        """Embed texts; None in a store without embeddings."""
        if self.name == NO_EMBEDDING:
            return None
        if not texts:
            return []
        embedder = await self._made()
        return list(await embedder.embed(texts, kind))

    async def vectors_of_filled(self, texts: Sequence[str], kind: EmbeddingKind) -> list[Vector | None]:
        """Embed texts that are stored; blank ones, and all in a store without embeddings, have no vector."""
        found = iter(await self.vectors([text for text in texts if text.strip()], kind) or ())
        return [next(found, None) if text.strip() else None for text in texts]

    async def _made(self) -> Embedder:
        if self._embedder is None:
            embedder = await asyncio.to_thread(self._embedders, self.name)
            if embedder is None or embedder.name != self.name:
                raise mismatch(self._location, self.name, name_of(embedder))
            self._embedder = embedder
        return self._embedder

    async def close(self) -> None:
        """Close the embedder where it can be closed; idempotent."""
        embedder: object = self._embedder
        self._embedder = None
        if isinstance(embedder, _Closing):
            await embedder.close()


def name_of(embedder: Embedder | None) -> str:
    """Return the name that a store records for an embedder."""
    return NO_EMBEDDING if embedder is None else embedder.name


def mismatch(location: str, recorded: str, asked: str) -> EmbeddingMismatchError:
    """Return the error for a store that was filled by another model than the one asked for."""
    return EmbeddingMismatchError(
        f"{location}: filled with embedding {recorded}, not {asked}; leave out --embedding, or embed anew with "
        f"`llm4tag store embed --embedding {asked} --store {location}`"
    )
