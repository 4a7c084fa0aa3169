"""The cache of embeddings on disk, so that no text is embedded twice and an interrupted ingest resumes."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from llm4tag.models.disk_cache import GIBIBYTE, DiskCache
from llm4tag.models.embedder import Embedder, EmbeddingKind, Progress, Vectors
from llm4tag.models.model_spans import EmbeddingSpan, embedding_span

_SLICE = 128
"""Texts between two writes: an interruption loses no more than these."""


class CachedEmbedder:
    """An embedder whose vectors are cached in ``cache_dir/embeddings``.

    Args:
        inner: the embedder.
        identity: everything that a vector depends on except kind and text: the name, and the endpoint if any.
        cache_dir: the cache folder of llm4tag.
    """

    def __init__(self, inner: Embedder, identity: str, cache_dir: Path) -> None:
        self._inner = inner
        self._identity = identity
        self._store = DiskCache(cache_dir / "embeddings", 8 * GIBIBYTE)

    @property
    def name(self) -> str:
        """The embedder's name."""
        return self._inner.name

    async def embed(self, texts: Sequence[str], kind: EmbeddingKind, progress: Progress | None = None) -> Vectors:
        """Embed texts, in order; each slice of 128 new texts is written to disk before the next slice begins.

        Returns:
            L2-normalised float32, shape (len(texts), dimensions).

        Raises:
            ModelError: the model failed, or the cache cannot be used.
        """
        with embedding_span(self.name, texts) as traced:
            return await self._embed(texts, kind, progress, traced)

    async def _embed(
        self, texts: Sequence[str], kind: EmbeddingKind, progress: Progress | None, traced: EmbeddingSpan
    ) -> Vectors:
        keys = [self._key(text, kind) for text in texts]
        known = {
            key: np.frombuffer(value, dtype="<f4") for key, value in (await self._store.get(set(keys))).items()
        }
        hits = sum(key in known for key in keys)
        traced.describe_cached(hits)
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
        """Close the cache's files; closing twice does no harm."""
        await self._store.close()

    def _key(self, text: str, kind: EmbeddingKind) -> str:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{self._identity}:{kind.value}:{digest}"
