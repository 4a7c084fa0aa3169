"""The tagged contents of a store, as arrays that models are fitted on."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llm4tag.knowledge_store.items import vector_of
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.models.embedder import Vector, Vectors
from llm4tag.schema import Provenance, TaggedContent, Vocabulary


@dataclass(frozen=True)
class History:
    """Contents that people tagged: n documents in the order of the store's export."""

    ids: Sequence[str]
    texts: Sequence[str]
    tags: Sequence[tuple[str, ...]]
    """The assignable tags that people gave each document."""
    vectors: Vectors | None
    """Raw embeddings, shape (n, dimensions); None where a document has none."""

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, rows: NDArray[np.int64]) -> "History":
        """Return the history of these documents only."""
        return History(
            ids=[self.ids[row] for row in rows],
            texts=[self.texts[row] for row in rows],
            tags=[self.tags[row] for row in rows],
            vectors=None if self.vectors is None else self.vectors[rows],
        )


async def load_history(store: KnowledgeStore) -> History:
    """Read the contents that have a text and at least one human assignment of an assignable tag.

    Raises:
        StoreError: the store failed.
    """
    vocabulary = await store.vocabulary()
    ids: list[str] = []
    texts: list[str] = []
    tags: list[tuple[str, ...]] = []
    vectors: list[Vector] = []
    async for record in store.export():
        content = record.content
        given = () if content is None else _human_tags(content, vocabulary)
        if content is None or not given or not content.full_text.strip():
            continue
        ids.append(content.id)
        texts.append(content.full_text)
        tags.append(given)
        if record.vector is not None:
            vectors.append(vector_of(base64.b64decode(record.vector)))
    complete = bool(ids) and len(vectors) == len(ids)
    return History(ids, texts, tags, np.stack(vectors) if complete else None)


def _human_tags(content: TaggedContent, vocabulary: Vocabulary) -> tuple[str, ...]:
    return tuple(
        item.tag
        for item in content.assignments
        if item.provenance is Provenance.HUMAN and item.tag in vocabulary.assignable
    )
