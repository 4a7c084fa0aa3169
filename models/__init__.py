"""Embedding models and LLMs: their interfaces, local models, the models of LiteLLM, and the caches of both."""

from llm4tag.models.cached_llm import CachedModel
from llm4tag.models.embedder import Embedder, EmbeddingKind, Progress, Vector, Vectors
from llm4tag.models.embedder_registry import canonical_embedding, make_embedder
from llm4tag.models.language_model import Answer, LanguageModel, Message, Question
from llm4tag.models.llm_registry import count_tokens, estimate_cost, open_llm

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
