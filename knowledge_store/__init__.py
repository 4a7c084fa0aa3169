"""The knowledge store: one protocol with two backends, an embedded file and a Weaviate server."""

from llm4tag.knowledge_store.protocol import (
    PROPERTIES,
    Collection,
    Filters,
    Hit,
    KnowledgeStore,
    SearchQuery,
    StoreStatistics,
    TagCount,
    UnitHit,
)
from llm4tag.knowledge_store.records import Artifact, Mark, Record, Writing
from llm4tag.knowledge_store.stores import open_store

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
