"""The knowledge store: one protocol, an embedded backend."""

from knowledge_store.opening import open_store
from knowledge_store.protocol import (
    PROPERTIES,
    Collection,
    Filters,
    Hit,
    KnowledgeStore,
    Record,
    SearchQuery,
    StoreStatistics,
    TagCount,
    UnitHit,
    Writing,
)

__all__ = [
    "PROPERTIES",
    "Collection",
    "Filters",
    "Hit",
    "KnowledgeStore",
    "Record",
    "SearchQuery",
    "StoreStatistics",
    "TagCount",
    "UnitHit",
    "Writing",
    "open_store",
]
