"""The knowledge store: one protocol, an embedded backend."""

from knowledge_store.opening import open_store
from knowledge_store.protocol import (
    PROPERTIES,
    Collection,
    Filters,
    Hit,
    KnowledgeStore,
    SearchQuery,
    StoreStatistics,
    TagCount,
    UnitHit,
    Writing,
)
from knowledge_store.records import Artifact, Mark, Record

__all__ = [
    "PROPERTIES",
    "Artifact",
    "Collection",
    "Filters",
    "Hit",
    "KnowledgeStore",
    "Mark",
    "Record",
    "SearchQuery",
    "StoreStatistics",
    "TagCount",
    "UnitHit",
    "Writing",
    "open_store",
]
