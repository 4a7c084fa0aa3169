"""Embedding models of LiteLLM's providers."""

import asyncio
import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import SecretStr

from llm4tag.models.embedder import EmbeddingKind, Progress, Vectors, batches
from llm4tag.models.event_loops import on_provider_loop
from llm4tag.schema import ModelError
from llm4tag.schema.text import without_surrogates

_BATCH_TEXTS = 64
_BATCH_CHARS = 100_000

_INPUT_TYPES: dict[str, dict[EmbeddingKind, str]] = {
    "cohere": {EmbeddingKind.QUERY: "search_query", EmbeddingKind.PASSAGE: "search_document"},
    "voyage": {EmbeddingKind.QUERY: "query", EmbeddingKind.PASSAGE: "document"},
}
"""By provider, the value of ``input_type`` for each side of a search; other providers have no such parameter."""


class LiteLLMEmbedder:
    """An embedding model of a provider.

    Args:
        name: LiteLLM's name of the model.
        api_base: endpoint; None: the provider's own.
        api_key: key; None: the one in the provider's environment variable.
        timeout: seconds that one call may take.
        max_attempts: how often a call is tried, the first time included.
    """

    def __init__(
        self, name: str, *, api_base: str | None, api_key: SecretStr | None, timeout: float, max_attempts: int
    ) -> None:
        self._name = name
        self._api_base = api_base
        self._api_key = api_key
        self._timeout = timeout
        self._max_attempts = max_attempts

    @property
    def name(self) -> str:
        """LiteLLM's name of the model."""
        return self._name

    async def embed(self, texts: Sequence[str], kind: EmbeddingKind, progress: Progress | None = None) -> Vectors:
        """Embed texts, in order, at most 64 in one call.

        Returns:
            L2-normalised float32, shape (len(texts), dimensions); (0, 0) for no texts.

        Raises:
            ModelError: the provider cannot be reached or refuses the request.
        """
        # This imports LiteLLM, which takes seconds and reads files: hence the thread.
        provider = await asyncio.to_thread(importlib.import_module, "llm4tag.models.provider")
        parts: list[Vectors] = []
        # Providers refuse empty texts, and JSON has no lone surrogates.
        sendable = [without_surrogates(text) or " " for text in texts]
        for batch in batches(sendable, _BATCH_TEXTS, _BATCH_CHARS):
            vectors = await on_provider_loop(self._call(provider, batch, kind))
            if vectors.shape[0] != len(batch):
                raise ModelError(
                    f"{len(batch)} texts were sent, {vectors.shape[0]} vectors came back", where=self._name
                )
            parts.append(_normalised(vectors, self._name))
            if progress is not None:
                progress(len(batch))
        return np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)

    async def _call(self, provider: Any, batch: list[str], kind: EmbeddingKind) -> Vectors:
        parameters: dict[str, Any] = {
            "model": self._name,
            "input": batch,
            "timeout": 2 * self._timeout,  # with_retries enforces the limit
            "api_base": self._api_base,
            "api_key": provider.key_to_send(self._name, self._api_base, self._api_key),
            "encoding_format": "float",
            **provider.NO_RETRIES,
        }
        input_type = _INPUT_TYPES.get(self._name.partition("/")[0], {}).get(kind)
        if input_type is not None:
            parameters["input_type"] = input_type

        async def call() -> Any:
            return await provider.litellm.aembedding(**parameters)

        try:
            response = await provider.with_retries(call, self._max_attempts, self._timeout)
            rows = sorted(response.data, key=lambda row: row["index"])
            return np.asarray([row["embedding"] for row in rows], dtype=np.float32)
        except Exception as error:
            # From None, because the original error may quote the key.
            raise provider.model_error(
                error, self._name, self._api_base, self._api_key, option="embedding"
            ) from None


def _normalised(vectors: Vectors, name: str) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True) if vectors.ndim == 2 else np.zeros(1)
    if not np.all(np.isfinite(lengths)) or not np.all(lengths > 0):
        raise ModelError(
            "the provider sent vectors that are not numbers or have no length",
            where=name,
            remedy="try another model",
        )
    return np.asarray(vectors / lengths, dtype=np.float32)
