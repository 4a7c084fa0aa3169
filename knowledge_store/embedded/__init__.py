"""The embedded backend: one SQLite file as the only truth, exact indexes in memory beside it."""

from llm4tag.knowledge_store.embedded.embedded_store import EmbeddedStore

__all__ = ["EmbeddedStore"]
