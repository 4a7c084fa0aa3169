"""The store's own embedder: it is made when first needed and checked against the name that the store recorded."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol, Self, runtime_checkable

from llm4tag.models.embedder import Embedder, EmbeddingKind, Vector
from llm4tag.models.embedder_registry import NO_EMBEDDING
from llm4tag.schema import EmbeddingMismatchError

Embedders = Callable[[str], Embedder | None]
"""Makes an embedder by name; returns None for ``none``."""


@runtime_checkable
class _Closing(Protocol):
    async def close(self) -> None: ...


class StoreEmbedding:
    """Embeds texts for one store.

    Args:
        embedders: makes the embedder by name.
        name: the name that the store recorded, or ``none``.
        location: the store, for messages.
    """

    def __init__(self, embedders: Embedders, name: str, location: str) -> None:
        self.name = name
        self._embedders = embedders
        self._location = location
        self._embedder: Embedder | None = None

    @classmethod
    async def make(cls, embedders: Embedders, requested: str, location: str) -> Self:
        """Make a named embedder at once; the name it gives itself may be more exact than the requested one."""
        embedder = await asyncio.to_thread(embedders, requested)
        made = cls(embedders, name_of(embedder), location)
        made._embedder = embedder
        return made

    def check(self, recorded: str, name: str) -> None:
        """Refuse to go on with vectors of ``name`` if the store has been embedded again with another model."""
        if recorded != name:
            raise EmbeddingMismatchError(
                f"embedded again with {recorded} since it was opened with {name}",
                where=self._location,
                remedy="open it again",
            )

    async def replace_by(self, other: "StoreEmbedding") -> None:
        """Take over another store embedding's embedder and close the present one."""
        await self.close()
        self.name, self._embedder = other.name, other._embedder

    async def vectors(self, texts: Sequence[str], kind: EmbeddingKind) -> list[Vector] | None:
        """Embed texts; return None in a store without embeddings."""
        if self.name == NO_EMBEDDING:
            return None
        if not texts:
            return []
        embedder = await self._made()
        return list(await embedder.embed(texts, kind))

    async def vectors_or_none(self, texts: Sequence[str], kind: EmbeddingKind) -> list[Vector | None]:
        """Embed texts to store; a blank text, and every text in a store without embeddings, gets None."""
        found = iter(await self.vectors([text for text in texts if text.strip()], kind) or ())
        return [next(found, None) if text.strip() else None for text in texts]

    async def _made(self) -> Embedder:
        if self._embedder is None:
            embedder = await asyncio.to_thread(self._embedders, self.name)
            if embedder is None or embedder.name != self.name:
                raise _mismatch(self._location, self.name, name_of(embedder))
            self._embedder = embedder
        return self._embedder

    async def close(self) -> None:
        """Close the embedder if it can be closed; idempotent."""
        embedder: object = self._embedder
        self._embedder = None
        if isinstance(embedder, _Closing):
            await embedder.close()


class RequestedEmbedding:
    """The embedding that a store is opened with: the one that the caller names, or the one that it recorded.

    Args:
        embedders: makes an embedder by name.
        requested: the embedding that the caller named, None if none.
        default: name of the model of a new store if the caller named none.
        location: the store, for messages.
    """

    def __init__(
        self, embedders: Embedders, requested: StoreEmbedding | None, default: str, location: str
    ) -> None:
        self._embedders = embedders
        self._requested = requested
        self._default = default
        self._location = location

    @classmethod
    async def make(cls, embedders: Embedders, name: str | None, default: str, location: str) -> Self:
        """Make the named embedder at once, so that a wrong name is reported before anything is opened."""
        requested = None if name is None else await StoreEmbedding.make(embedders, name, location)
        return cls(embedders, requested, default, location)

    def name_for_new(self) -> str:
        """Return the name that a new store records; this may load the default model, so it blocks."""
        return name_of(self._embedders(self._default)) if self._requested is None else self._requested.name

    def agreed(self, recorded: str) -> StoreEmbedding:
        """Return the embedding of a store that recorded a name.

        Raises:
            EmbeddingMismatchError: the caller named another one.
        """
        if self._requested is None:
            return StoreEmbedding(self._embedders, recorded, self._location)
        if self._requested.name != recorded:
            raise _mismatch(self._location, recorded, self._requested.name)
        return self._requested

    async def close(self) -> None:
        """Close the embedder if one was made; idempotent."""
        if self._requested is not None:
            await self._requested.close()


def name_of(embedder: Embedder | None) -> str:
    """Return the name that a store records for an embedder."""
    return NO_EMBEDDING if embedder is None else embedder.name


def _mismatch(location: str, recorded: str, requested: str) -> EmbeddingMismatchError:
    return EmbeddingMismatchError(
        f"filled with embedding {recorded}, not {requested}",
        where=location,
        option="embedding",
        remedy="leave it out, or {embed_store}",
        embedding=requested,
        store=location,
    )
