"""Embedding models and LLMs: contracts, the local ones, any of LiteLLM's, and the caches before them."""

from llm4tag.models.cached_llm import CachedModel
from llm4tag.models.cost import count_tokens, estimate_cost
from llm4tag.models.embedder import Embedder, EmbeddingKind, Progress, Vector, Vectors
from llm4tag.models.embedder_registry import canonical_embedding, make_embedder
from llm4tag.models.language_model import Answer, LanguageModel, Message, Question
from llm4tag.models.llm_registry import open_llm

__all__ = [
    "Answer",
    "CachedModel",
    "Embedder",
    "EmbeddingKind",
    "LanguageModel",
    "Message",
    "Progress",
    "Question",
    "Vector",
    "Vectors",
    "canonical_embedding",
    "count_tokens",
    "estimate_cost",
    "make_embedder",
    "open_llm",
]
