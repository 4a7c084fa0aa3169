"""Embeddings kept on disk by content, so that nothing is embedded twice and an interrupted ingest resumes."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from llm4tag.models.disk_cache import GIBIBYTE, DiskStore
from llm4tag.models.embedder import Embedder, EmbeddingKind, Progress, Vectors
from llm4tag.models.model_spans import Embedding, embedding

_SLICE = 128
"""Texts between two writes: what an interruption can lose."""


class CachedEmbedder:
    """An embedder whose vectors are kept in ``cache_dir/embeddings``.

    Args:
        inner: the embedder.
        identity: what a vector depends on besides kind and text: the name, and the endpoint where there is one.
        cache_dir: the cache folder of llm4tag.
    """

    def __init__(self, inner: Embedder, identity: str, cache_dir: Path) -> None:
        self._inner = inner
        self._identity = identity
        self._store = DiskStore(cache_dir / "embeddings", 8 * GIBIBYTE)

    @property
    def name(self) -> str:
        """The embedder's name."""
        return self._inner.name

    async def embed(self, texts: Sequence[str], kind: EmbeddingKind, progress: Progress | None = None) -> Vectors:
        """Embed texts, in order; each slice of 128 new ones is on disk before the next is begun.

        Returns:
            L2-normalised float32, shape (len(texts), dimensions).

        Raises:
            ModelError: the model failed, or the cache cannot be used.
        """
        with embedding(self.name, texts) as traced:
            return await self._embed(texts, kind, progress, traced)

    async def _embed(
        self, texts: Sequence[str], kind: EmbeddingKind, progress: Progress | None, traced: Embedding
    ) -> Vectors:
        keys = [self._key(text, kind) for text in texts]
        known = {
            key: np.frombuffer(value, dtype="<f4") for key, value in (await self._store.get(set(keys))).items()
        }
        hits = sum(key in known for key in keys)
        traced.known(hits)
        if progress is not None and hits:
            progress(hits)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        repeats = sum(key in missing for key in keys) - len(missing)
        todo = list(missing.items())
        for start in range(0, len(todo), _SLICE):
            part = todo[start : start + _SLICE]
            vectors = await self._inner.embed([text for _, text in part], kind, progress)
            fresh = {key: vector for (key, _), vector in zip(part, vectors, strict=True)}
            await self._store.put({key: vector.astype("<f4").tobytes() for key, vector in fresh.items()})
            known |= fresh
        if progress is not None and repeats:
            progress(repeats)
        if not keys:
            return await self._inner.embed([], kind)
        return np.stack([known[key] for key in keys]).astype(np.float32, copy=False)

    async def close(self) -> None:
        """Close the cache's files; idempotent."""
        await self._store.close()

    def _key(self, text: str, kind: EmbeddingKind) -> str:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{self._identity}:{kind.value}:{digest}"
