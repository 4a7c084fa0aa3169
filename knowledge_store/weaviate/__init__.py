"""The Weaviate backend: a store on a server, with the same protocol as the embedded one."""

from llm4tag.knowledge_store.weaviate.weaviate_store import WeaviateStore

__all__ = ["WeaviateStore"]
