"""The embedded backend: one SQLite file holds everything, and exact indexes of it are in memory."""

from llm4tag.knowledge_store.embedded.embedded_store import EmbeddedStore

__all__ = ["EmbeddedStore"]
