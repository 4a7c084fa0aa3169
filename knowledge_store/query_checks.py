"""What every backend checks of a query before it runs it."""

from llm4tag.knowledge_store.protocol import PROPERTIES, Collection, Filters, SearchQuery
from llm4tag.models.embedder import Vector
from llm4tag.schema import StoreError, UsageError, Vocabulary

_TAG_COLLECTIONS = (Collection.TAGS, Collection.UNITS)


def check_filters(collection: Collection, filters: Filters) -> None:
    """Refuse conditions that a collection cannot meet, rather than ignore them."""
    if filters.within is not None and collection not in _TAG_COLLECTIONS:
        raise UsageError(f"filter `within` is for tags and units, not for {collection}")
    if (filters.tagged_any is not None or filters.tagged_by is not None) and collection is not Collection.CONTENTS:
        raise UsageError(f"filters `tagged_any` and `tagged_by` are for contents, not for {collection}")


def boosts(collection: Collection, query: SearchQuery) -> list[float | None]:
    """Return the boost of every property of a collection, None for one that is not searched."""
    names = PROPERTIES[collection]
    if query.properties is None:
        return [1.0] * len(names)
    if unknown := sorted(set(query.properties) - set(names)):
        raise UsageError(f"{collection} have no property {unknown[0]!r}; they have {', '.join(names)}")
    return [query.properties.get(name) for name in names]


def tags_under(vocabulary: Vocabulary, parent: str) -> frozenset[str]:
    """Return the assignable tags under a parent.

    Raises:
        UsageError: nobody's parent.
    """
    try:
        return vocabulary.within(parent)
    except KeyError:
        raise UsageError(
            f"within: no tag or group has the id {parent!r}; give the id of one that is somebody's parent"
        ) from None


def check_dimensions(vector: Vector, dimensions: int) -> None:
    """Refuse a query vector of another length than those stored."""
    if vector.shape != (dimensions,):
        raise StoreError(
            f"query vector of shape {vector.shape}, the store's have {dimensions} dimensions; "
            "embed queries with the store's own embed_query"
        )
