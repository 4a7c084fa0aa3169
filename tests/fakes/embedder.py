"""A small embedder: the same words give the same vector, texts with common words are near each other."""

import functools
import hashlib
from collections.abc import Sequence

import numpy as np

from llm4tag.knowledge_store.word_tokens import tokens
from llm4tag.models.embedder import Embedder, EmbeddingKind, Progress, Vector, Vectors


@functools.lru_cache(maxsize=100_000)
def _direction(word: str, dimensions: int) -> Vector:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "little")
    return np.random.default_rng(seed).standard_normal(dimensions).astype(np.float32)


class FakeEmbedder:
    """Sums one random direction a word, and a part that all texts share (as in real models)."""

    def __init__(self, name: str = "fake", dimensions: int = 32) -> None:
        self.name = name
        self.dimensions = dimensions
        self.embedded: list[tuple[EmbeddingKind, str]] = []
        self.closed = False

    async def embed(self, texts: Sequence[str], kind: EmbeddingKind, progress: Progress | None = None) -> Vectors:
        self.embedded.extend((kind, text) for text in texts)
        rows = []
        for text in texts:
            total = 3.0 * _direction(f"{self.name}:common", self.dimensions)
            for word in tokens(text):
                total = total + _direction(f"{self.name}:{word}", self.dimensions)
            rows.append(total / np.linalg.norm(total))
        if progress is not None:
            progress(len(texts))
        return np.array(rows, dtype=np.float32).reshape(len(texts), self.dimensions)

    async def close(self) -> None:
        self.closed = True


def fake_embedder(name: str) -> Embedder | None:
    """Make an embedder by name: ``none``, or ``NAME`` or ``NAME-DIMENSIONS``."""
    if name == "none":
        return None
    dimensions = name.rpartition("-")[2]
    return FakeEmbedder(name, int(dimensions) if dimensions.isdigit() else 32)
