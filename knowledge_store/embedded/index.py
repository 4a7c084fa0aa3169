"""The in-memory index of one collection: the words and vectors of each slot.

Slots are only ever added: a changed object leaves its slot and gets a new one, so that the snapshot that a search
reads is never written to. When many slots are empty, the index is compacted.
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
_MOST_CACHED_MASKS = 64


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """The text of one object for every property, and its raw vector if it has one."""

    id: str
    owner: str
    """The id that filters name: the object's own or, for a unit, its tag's."""
    texts: tuple[str, ...]
    vector: bytes | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The data that a search reads; later writes do not change it."""

    corpus: Corpus
    ids: Sequence[str]
    owners: Sequence[str]
    labels: Sequence[str]
    matrix: Vectors | None
    """Shape (slots, dimensions): vectors, L2-normalised after centring; None if no object has one."""
    embedded: Mask
    """Shape (slots,): whether the slot has a vector."""
    centre: Vector | None

    def cosines(self, vectors: Sequence[Vector]) -> NDArray[np.float32]:
        """Return the cosine of every slot with every query, shape (queries, slots)."""
        if self.matrix is None:
            return np.zeros((len(vectors), len(self.embedded)), dtype=np.float32)
        cosines: NDArray[np.float32] = centred(np.stack(vectors), self.centre) @ self.matrix.T
        return cosines


def centred(vectors: Vectors, centre: Vector | None) -> Vectors:
    """Subtract the centre and L2-normalise; without a centre only normalise."""
    moved = vectors.astype(np.float32) if centre is None else vectors - centre
    norms = np.linalg.norm(moved, axis=1, keepdims=True)
    scaled: Vectors = np.divide(moved, norms, out=np.zeros_like(moved), where=norms > 0.0)
    return scaled


class _Rows:
    """An array that grows at its end; views that were taken earlier do not change."""

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
    """Indexes the words and vectors of one collection; its owner brings it up to date under ``lock``.

    Args:
        properties: number of texts of an entry.
    """

    def __init__(self, properties: int) -> None:
        self.lock = threading.RLock()
        self.change = -1
        """The last transaction that is in the index; -1 if nothing was loaded yet."""
        self.basis: object = None
        """What all its vectors depend on (model, centre); if it changes, the whole index is loaded again."""
        self._properties = properties
        self._masks: dict[Hashable, Mask] = {}
        self.clear(None)

    def clear(self, centre: Vector | None) -> None:
        """Remove all entries; vectors of the next ones are centred by ``centre``."""
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

    def apply(self, gone: Iterable[str], changed: Iterable[tuple[str, Sequence[IndexEntry]]]) -> None:
        """Remove owners that were deleted, and replace all entries of owners that changed."""
        left = [slot for owner in gone for slot in self._slots_of.pop(owner, ())]
        owners = iter(changed)
        before = len(self._ids)
        while chunk := list(islice(owners, _LOAD_CHUNK)):
            left.extend(slot for owner, _ in chunk for slot in self._slots_of.pop(owner, ()))
            self._append([entry for _, entries in chunk for entry in entries])
        if left:
            self._alive = self._alive.copy()
            self._alive[left] = False
            dead = len(self._alive) - int(self._alive.sum())
            if dead > max(_LEAST_DEAD, len(self._alive) // 4):
                self._compact()
        if left or len(self._ids) != before:
            self._publish()

    def _append(self, entries: Sequence[IndexEntry]) -> None:
        if not entries:
            return
        first = len(self._ids)
        segment, lengths = Segment.build([entry.texts for entry in entries], first, self._terms)
        self._segments = appended(self._segments, segment)
        self._lengths.append(lengths)
        self._append_vectors(first, [entry.vector for entry in entries])
        for slot, entry in enumerate(entries, start=first):
            self._slots_of[entry.owner] = (*self._slots_of.get(entry.owner, ()), slot)
            self._ids.append(entry.id)
            self._owners.append(entry.owner)
            self._labels.append(entry.texts[0] if self._properties == 1 else "")
        self._alive = np.append(self._alive, np.ones(len(entries), dtype=np.bool_))

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

    def _compact(self) -> None:
        """Move the entries that are alive to new slots without gaps."""
        living = np.flatnonzero(self._alive)
        moved = np.full(len(self._alive), -1, dtype=np.int32)
        moved[living] = np.arange(len(living), dtype=np.int32)
        lengths, matrix = self._lengths.view[living], self._matrix
        self._segments = (Segment.merge(self._segments, moved),)
        self._ids = [self._ids[slot] for slot in living]
        self._owners = [self._owners[slot] for slot in living]
        self._labels = [self._labels[slot] for slot in living]
        self._slots_of = {
            owner: tuple(int(moved[slot]) for slot in slots) for owner, slots in self._slots_of.items()
        }
        self._lengths = _Rows(self._properties, np.int32)
        self._lengths.append(lengths)
        if matrix is not None:
            self._matrix = _Rows(matrix.view.shape[1], np.float32)
            self._matrix.append(matrix.view[living])
        self._alive, self._embedded = np.ones(len(living), dtype=np.bool_), self._embedded[living]

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
        """Return a mask of the slots that belong to the owners."""
        mask = np.zeros(len(self._alive), dtype=np.bool_)
        mask[[slot for owner in owners for slot in self._slots_of.get(owner, ())]] = True
        return mask

    def cached_mask(self, key: Hashable, owners: Callable[[], Iterable[str]]) -> Mask:
        """Return the mask of the owners; it is cached under ``key`` until the index changes.

        Args:
            key: names the set of owners.
            owners: returns them; called only if the mask is not cached.
        """
        if key not in self._masks:
            if len(self._masks) >= _MOST_CACHED_MASKS:
                self._masks.clear()
            self._masks[key] = self.mask(owners())
        return self._masks[key]
