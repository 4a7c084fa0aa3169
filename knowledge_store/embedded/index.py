"""The in-memory index of one collection: words and vectors by slot.

Slots are only ever added; a changed object leaves its slot and takes a new one, so a snapshot that a search
holds is never written to. Slots that were left are squeezed out when they are many.
"""

import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from llm4tag.knowledge_store.embedded.bm25 import Corpus, Ints, Mask, Segment, Terms, appended
from llm4tag.models.embedder import Vector, Vectors

_LOAD_CHUNK = 20_000
_LEAST_DEAD = 1_000
_KEPT_MASKS = 64


@dataclass(frozen=True, slots=True)
class Document:
    """What is indexed: one text for every property, and a raw vector where there is one.

    ``owner`` is what filters name: the object itself or, for units, the tag.
    """

    id: str
    owner: str
    texts: tuple[str, ...]
    vector: bytes | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a search reads."""

    corpus: Corpus
    ids: Sequence[str]
    owners: Sequence[str]
    labels: Sequence[str]
    matrix: Vectors | None
    """Shape (slots, dimensions), L2-normalised after centring; None when nothing has a vector."""
    embedded: Mask
    centre: Vector | None

    def towards(self, vectors: Sequence[Vector]) -> NDArray[np.float32]:
        """Return the cosine of every slot with every query, shape (queries, slots)."""
        if self.matrix is None:
            return np.zeros((len(vectors), len(self.embedded)), dtype=np.float32)
        cosines: NDArray[np.float32] = centred(np.stack(vectors), self.centre) @ self.matrix.T
        return cosines


def centred(vectors: Vectors, centre: Vector | None) -> Vectors:
    """Subtract the centre and normalise again; without a centre only normalise."""
    moved = vectors.astype(np.float32) if centre is None else vectors - centre
    norms = np.linalg.norm(moved, axis=1, keepdims=True)
    scaled: Vectors = np.divide(moved, norms, out=np.zeros_like(moved), where=norms > 0.0)
    return scaled


class _Rows:
    """An array that grows at its end; views taken earlier stay as they were."""

    def __init__(self, width: int, dtype: type[np.generic]) -> None:
        self._buffer = np.zeros((16, width), dtype=dtype)
        self._count = 0

    @property
    def view(self) -> NDArray[np.generic]:
        return self._buffer[: self._count]

    def append(self, rows: NDArray[np.generic]) -> None:
        wanted = self._count + len(rows)
        if wanted > len(self._buffer):
            larger = np.zeros((max(wanted, 2 * len(self._buffer)), self._buffer.shape[1]), self._buffer.dtype)
            larger[: self._count] = self._buffer[: self._count]
            self._buffer = larger
        self._buffer[self._count : wanted] = rows
        self._count = wanted


class CollectionIndex:
    """Words and vectors of one collection, brought up to date by its owner under ``lock``.

    Args:
        properties: how many texts a document has.
    """

    def __init__(self, properties: int) -> None:
        self.lock = threading.RLock()
        self.change = -1
        """The last transaction that is in the index; -1 when nothing was loaded yet."""
        self.basis: object = None
        """What all its vectors rest on (model, centre); with another, the index is loaded anew."""
        self._properties = properties
        self._masks: dict[Hashable, Mask] = {}
        self.clear(None)

    def clear(self, centre: Vector | None) -> None:
        """Forget all documents; the next ones are centred by ``centre``."""
        self._centre = centre
        self._terms = Terms()
        self._segments: tuple[Segment, ...] = ()
        self._ids: list[str] = []
        self._owners: list[str] = []
        self._labels: list[str] = []
        self._slots_of: dict[str, tuple[int, ...]] = {}
        self._alive: Mask = np.zeros(0, dtype=np.bool_)
        self._embedded: Mask = np.zeros(0, dtype=np.bool_)
        self._lengths = _Rows(self._properties, np.int32)
        self._matrix: _Rows | None = None
        self._publish()

    def apply(self, gone: Iterable[str], changed: Iterable[tuple[str, Sequence[Document]]]) -> None:
        """Take out owners that were deleted, and put changed ones with all of their documents in again."""
        left = [slot for owner in gone for slot in self._slots_of.pop(owner, ())]
        entries = iter(changed)
        before = len(self._ids)
        while chunk := list(islice(entries, _LOAD_CHUNK)):
            left.extend(slot for owner, _ in chunk for slot in self._slots_of.pop(owner, ()))
            self._append([document for _, documents in chunk for document in documents])
        if left:
            self._alive = self._alive.copy()
            self._alive[left] = False
            dead = len(self._alive) - int(self._alive.sum())
            if dead > max(_LEAST_DEAD, len(self._alive) // 4):
                self._squeeze()
        if left or len(self._ids) != before:
            self._publish()

    def _append(self, documents: Sequence[Document]) -> None:
        if not documents:
            return
        first = len(self._ids)
        segment, lengths = Segment.build([document.texts for document in documents], first, self._terms)
        self._segments = appended(self._segments, segment)
        self._lengths.append(lengths)
        self._append_vectors(first, [document.vector for document in documents])
        for slot, document in enumerate(documents, start=first):
            self._slots_of[document.owner] = (*self._slots_of.get(document.owner, ()), slot)
            self._ids.append(document.id)
            self._owners.append(document.owner)
            self._labels.append(document.texts[0] if self._properties == 1 else "")
        self._alive = np.append(self._alive, np.ones(len(documents), dtype=np.bool_))

    def _append_vectors(self, first: int, blobs: Sequence[bytes | None]) -> None:
        having = np.array([blob is not None for blob in blobs], dtype=np.bool_)
        self._embedded = np.append(self._embedded, having)
        if self._matrix is None and having.any():
            width = len(next(blob for blob in blobs if blob is not None)) // 4
            self._matrix = _Rows(width, np.float32)
            self._matrix.append(np.zeros((first, width), dtype=np.float32))
        if self._matrix is not None:
            rows = np.zeros((len(blobs), self._matrix.view.shape[1]), dtype=np.float32)
            if having.any():
                raw = np.frombuffer(b"".join(blob for blob in blobs if blob is not None), dtype="<f4")
                rows[having] = centred(raw.reshape(-1, rows.shape[1]), self._centre)
            self._matrix.append(rows)

    def _squeeze(self) -> None:
        """Give the living documents new slots without gaps."""
        kept = np.flatnonzero(self._alive)
        moved = np.full(len(self._alive), -1, dtype=np.int32)
        moved[kept] = np.arange(len(kept), dtype=np.int32)
        lengths, matrix = self._lengths.view[kept], self._matrix
        self._segments = (Segment.merge(self._segments, moved),)
        self._ids = [self._ids[slot] for slot in kept]
        self._owners = [self._owners[slot] for slot in kept]
        self._labels = [self._labels[slot] for slot in kept]
        self._slots_of = {
            owner: tuple(int(moved[slot]) for slot in slots) for owner, slots in self._slots_of.items()
        }
        self._lengths = _Rows(self._properties, np.int32)
        self._lengths.append(lengths)
        if matrix is not None:
            self._matrix = _Rows(matrix.view.shape[1], np.float32)
            self._matrix.append(matrix.view[kept])
        self._alive, self._embedded = np.ones(len(kept), dtype=np.bool_), self._embedded[kept]

    def _publish(self) -> None:
        self._masks.clear()
        lengths: Ints = self._lengths.view.astype(np.int32, copy=False)
        matrix = None if self._matrix is None else self._matrix.view.astype(np.float32, copy=False)
        self.snapshot = Snapshot(
            corpus=Corpus.of(self._terms, self._segments, self._alive, lengths),
            ids=self._ids,
            owners=self._owners,
            labels=self._labels,
            matrix=matrix,
            embedded=self._embedded,
            centre=self._centre,
        )

    def mask(self, owners: Iterable[str]) -> Mask:
        """Return which slots belong to the owners."""
        mask = np.zeros(len(self._alive), dtype=np.bool_)
        mask[[slot for owner in owners for slot in self._slots_of.get(owner, ())]] = True
        return mask

    def kept_mask(self, key: Hashable, owners: Callable[[], Iterable[str]]) -> Mask:
        """Return the mask of the owners, which are asked for once a key until the index changes."""
        if key not in self._masks:
            if len(self._masks) >= _KEPT_MASKS:
                self._masks.clear()
            self._masks[key] = self.mask(owners())
        return self._masks[key]
