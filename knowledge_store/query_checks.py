"""The checks that every backend makes on a query before it runs it."""

from llm4tag.knowledge_store.protocol import PROPERTIES, Collection, Filters, SearchQuery
from llm4tag.models.embedder import Vector
from llm4tag.schema import StoreError, UsageError, Vocabulary

_TAG_COLLECTIONS = (Collection.TAGS, Collection.UNITS)


def check_filters(collection: Collection, filters: Filters) -> None:
    """Refuse filters that a collection does not have.

    Raises:
        UsageError: the collection would have to ignore a filter.
    """
    if filters.within is not None and collection not in _TAG_COLLECTIONS:
        raise UsageError(f"the filter `within` is for tags and units, not for {collection}")
    if (filters.tagged_any is not None or filters.tagged_by is not None) and collection is not Collection.CONTENTS:
        raise UsageError(f"the filters `tagged_any` and `tagged_by` are for contents, not for {collection}")


def boosts(collection: Collection, query: SearchQuery) -> list[float | None]:
    """Return the boost of each property of a collection, None for a property that is not searched.

    Raises:
        UsageError: the query names a property that the collection does not have.
    """
    names = PROPERTIES[collection]
    if query.properties is None:
        return [1.0] * len(names)
    if unknown := sorted(set(query.properties) - set(names)):
        raise UsageError(f"{collection} have no property {unknown[0]!r}", remedy=f"use one of {', '.join(names)}")
    return [query.properties.get(name) for name in names]


def tags_under(vocabulary: Vocabulary, parent: str) -> frozenset[str]:
    """Return the assignable tags under a parent, at any depth.

    Raises:
        UsageError: no tag has that parent.
    """
    try:
        return vocabulary.within(parent)
    except KeyError:
        raise UsageError(
            f"no tag or group has the id {parent!r}",
            option="within",
            remedy="give the id of one that is the parent of others",
        ) from None


def check_dimensions(vector: Vector, dimensions: int) -> None:
    """Refuse a query vector of another length than the stored ones.

    Raises:
        StoreError: the vector has another length.
    """
    if vector.shape != (dimensions,):
        raise StoreError(
            f"the query vector has shape {vector.shape}, those of the store have {dimensions} dimensions",
            remedy="embed queries with the store's own embed_query",
        )
