"""Hybrid search over the in-memory indexes, which are brought up to date with the file before each search."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from llm4tag.knowledge_store.embedded import tag_graph as graph
from llm4tag.knowledge_store.embedded.bm25 import Ints, Mask
from llm4tag.knowledge_store.embedded.database import Database, FileState, read_state
from llm4tag.knowledge_store.embedded.index import CollectionIndex, Snapshot
from llm4tag.knowledge_store.embedded.stored_centre import read_centre
from llm4tag.knowledge_store.embedded.table_rows import changed_entries
from llm4tag.knowledge_store.hybrid_fusion import LEG_LIMIT, FusedHit, LegHit, fuse, object_uuid
from llm4tag.knowledge_store.items import KIND_OF, unit_kind
from llm4tag.knowledge_store.protocol import PROPERTIES, Collection, Filters, Hit, SearchQuery
from llm4tag.knowledge_store.query_checks import boosts, check_dimensions, check_filters, tags_under
from llm4tag.knowledge_store.store_embedding import StoreEmbedding
from llm4tag.models.embedder import Vector
from llm4tag.schema import Provenance, Vocabulary

_QUERIES_AT_ONCE = 64


class IndexSearcher:
    """Searches one store. All methods block and may be called from several threads.

    Args:
        database: the store's file.
        embedding: the store's embedder; query vectors of another one are refused.
        vocabulary: returns the present vocabulary.
    """

    def __init__(
        self, database: Database, embedding: StoreEmbedding, vocabulary: Callable[[], Vocabulary]
    ) -> None:
        self._database = database
        self._embedding = embedding
        self._vocabulary = vocabulary
        self._indexes = {collection: CollectionIndex(len(PROPERTIES[collection])) for collection in Collection}

    def search(self, collection: Collection, queries: Sequence[SearchQuery]) -> list[list[Hit]]:
        """Run queries, all against the same state of a collection."""
        index = self._indexes[collection]
        with index.lock:
            state = self._catch_up(collection, index)
            if any(query.vector is not None for query in queries):
                self._embedding.check(state.embedding, self._embedding.name)
            snapshot = index.snapshot
            masks = [self._allowed(collection, index, query.filters, state) for query in queries]
        hits: list[list[Hit]] = []
        for at in range(0, len(queries), _QUERIES_AT_ONCE):
            part = queries[at : at + _QUERIES_AT_ONCE]
            cosines = _cosines(collection, snapshot, part)
            for query, mask, row in zip(part, masks[at:], cosines, strict=False):
                hits.append(_search(collection, snapshot, query, mask, row))
        return hits

    def _catch_up(self, collection: Collection, index: CollectionIndex) -> FileState:
        """Bring the index up to the file's state; after a change of model or centre everything is loaded again."""
        state = self._database.state()
        if index.change == state.change:
            return state
        centres = collection is Collection.CONTENTS
        with self._database.read() as connection:
            state = read_state(connection)
            basis = (state.vectors, state.centre if centres else 0)
            gone: list[str] = []
            try:
                if index.change < 0 or index.basis != basis:
                    index.clear(read_centre(connection) if centres else None)
                    since = -1
                else:
                    since = index.change
                    gone = graph.deleted_since(connection, KIND_OF[collection], since)
                index.apply(gone, changed_entries(connection, collection, since))
            except BaseException:
                # Half of a change is worse than none: the next search loads everything.
                index.change = -1
                raise
            index.change, index.basis = state.change, basis
        return state

    def _allowed(self, collection: Collection, index: CollectionIndex, filters: Filters, state: FileState) -> Mask:
        """Return a mask of the slots that a query may find."""
        check_filters(collection, filters)
        mask = index.snapshot.corpus.alive
        if filters.ids is not None:
            mask = mask & index.mask(filters.ids)
        if filters.exclude_ids:
            mask = mask & ~index.mask(filters.exclude_ids)
        if (parent := filters.within) is not None:
            mask = mask & index.cached_mask(("within", parent, state.tags), lambda: self._under(parent))
        if (tags := filters.tagged_any) is not None:
            mask = mask & index.cached_mask(("any", tags, state.assignments), lambda: self._tagged(tags))
        if (provenance := filters.tagged_by) is not None:
            mask = mask & index.cached_mask(
                ("by", provenance, state.assignments), lambda: self._tagged_by(provenance)
            )
        return mask

    def _under(self, parent: str) -> frozenset[str]:
        return tags_under(self._vocabulary(), parent)

    def _tagged(self, tags: frozenset[str]) -> list[str]:
        with self._database.read() as connection:
            return graph.contents_with_any(connection, tags)

    def _tagged_by(self, provenance: Provenance) -> list[str]:
        with self._database.read() as connection:
            return graph.contents_tagged_by(connection, provenance)


def _by_vector(collection: Collection, snapshot: Snapshot, query: SearchQuery) -> Vector | None:
    """Return the vector to search with, or None if the vector leg does not run."""
    if query.vector is None or query.alpha == 0.0 or collection is Collection.UNITS or snapshot.matrix is None:
        return None
    check_dimensions(query.vector, snapshot.matrix.shape[1])
    return query.vector


def _cosines(
    collection: Collection, snapshot: Snapshot, queries: Sequence[SearchQuery]
) -> list[NDArray[np.float32] | None]:
    """Return the cosine of every slot for each query whose vector leg runs."""
    vectors = [_by_vector(collection, snapshot, query) for query in queries]
    given = [vector for vector in vectors if vector is not None]
    rows = iter(snapshot.cosines(given) if given else ())
    return [None if vector is None else next(rows) for vector in vectors]


def _search(
    collection: Collection,
    snapshot: Snapshot,
    query: SearchQuery,
    allowed: Mask,
    cosines: NDArray[np.float32] | None,
) -> list[Hit]:
    count = max(LEG_LIMIT, query.limit)
    by_word: Ints | None = None
    scores = np.zeros(0)
    if cosines is None or query.alpha < 1.0:
        scores = snapshot.corpus.scores(query.text, boosts(collection, query))
        by_word = _best(scores, np.flatnonzero((scores > 0.0) & allowed), count, snapshot.ids)
    by_vector: Ints | None = None
    if cosines is not None:
        by_vector = _best(cosines, np.flatnonzero(snapshot.embedded & allowed), count, snapshot.ids)
    fused = fuse(
        None if by_word is None else [LegHit(snapshot.ids[slot], float(scores[slot])) for slot in by_word],
        None
        if by_vector is None or cosines is None
        else [LegHit(snapshot.ids[slot], float(cosines[slot])) for slot in by_vector],
        alpha=query.alpha,
        fusion=query.fusion,
        uuid_of=lambda object_id: object_uuid(collection, object_id),
    )
    slot_of = {snapshot.ids[slot]: int(slot) for leg in (by_word, by_vector) if leg is not None for slot in leg}
    return [_hit(collection, snapshot, slot_of[hit.id], hit) for hit in fused[: query.limit]]


def _best(scores: NDArray[np.floating], eligible: NDArray[np.intp], count: int, ids: Sequence[str]) -> Ints:
    """Return the best slots, best first; ties are ordered by id, so that the order of writes does not matter."""
    values = scores[eligible]
    if len(values) > count:
        bar = np.partition(values, len(values) - count)[len(values) - count]
        above = eligible[values > bar]
        level = sorted(eligible[values == bar].tolist(), key=ids.__getitem__)
        eligible = np.concatenate([above, np.array(level[: count - len(above)], dtype=eligible.dtype)])
    ordered = sorted(eligible.tolist(), key=lambda slot: (-scores[slot], ids[slot]))
    return np.array(ordered, dtype=np.int32)


def _hit(collection: Collection, snapshot: Snapshot, slot: int, hit: FusedHit) -> Hit:
    if collection is Collection.UNITS:
        return hit.as_unit_hit(snapshot.owners[slot], snapshot.labels[slot], unit_kind(hit.id))
    return hit.as_hit()
