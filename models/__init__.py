"""Embedding models and LLMs: contracts, the local ones, any of LiteLLM's, and the caches before them."""

from models.cost import count_tokens, estimate_cost
from models.embedding import Embedder, EmbeddingKind, Progress, Vector, Vectors
from models.embeddings import canonical_embedding, make_embedder
from models.language_model import CachedModel, open_llm
from models.llm import Answer, Ask, LanguageModel, Message

__all__ = [
    "Answer",
    "Ask",
    "CachedModel",
    "Embedder",
    "EmbeddingKind",
    "LanguageModel",
    "Message",
    "Progress",
    "Vector",
    "Vectors",
    "canonical_embedding",
    "count_tokens",
    "estimate_cost",
    "make_embedder",
    "open_llm",
]
