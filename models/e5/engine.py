"""The loaded embedding model: it turns texts into vectors, one text on each core."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from llm4tag.models.e5.onnx_encoder import encoder
from llm4tag.models.e5.weights import Floats32, TokenVocabulary, read_weights
from llm4tag.models.machine import usable_cores

_SPACES = re.compile(" {2,}")


class Engine:
    """Embeds texts on the processor.

    Args:
        path: the package's file of weights.
        threads: how many texts are embedded at the same time; None: one for each core of this process.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file has another format.
        ImportError: ``onnxruntime``, ``onnx`` or ``tokenizers`` is not installed.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self._weights = read_weights(path)
        self._tokenizer = TextTokenizer(self._weights.vocabulary)
        table = self._weights.matrix("emb.pos", self._weights.width)
        self._positions = table + self._weights.matrix("emb.type", self._weights.width)[0]
        self._session = _session(encoder(self._weights))
        self._pool = ThreadPoolExecutor(threads or usable_cores(), thread_name_prefix="e5")

    def embed(self, texts: Sequence[str], most: int | None = None) -> Floats32:
        """Return L2-normalised vectors, shape (len(texts), width).

        The vector of a text that is longer than the model's input is the mean over windows of the text, weighted
        by their numbers of tokens.

        Args:
            texts: the texts, each with its prefix.
            most: how many tokens of each text are used at most; None: all.
        """
        ids = self._tokenizer.ids(texts)
        # The longest texts go first, so that no core waits for one that began late.
        order = sorted(range(len(ids)), key=lambda row: -len(ids[row]))
        vectors = np.empty((len(ids), self._weights.width), dtype=np.float32)
        for row, vector in zip(order, self._pool.map(lambda row: self._text(ids[row][:most]), order), strict=True):
            vectors[row] = vector
        return vectors

    def _text(self, ids: list[int]) -> Floats32:
        size = self._weights.longest - 2
        windows = [ids[start : start + size] for start in range(0, max(1, len(ids)), size)]
        total = sum(max(1, len(window)) * self._window(window) for window in windows)
        vector: Floats32 = np.asarray(total, dtype=np.float32)
        return vector / max(float(np.linalg.norm(vector)), 1e-12)

    def _window(self, ids: list[int]) -> Floats32:
        vocabulary = self._weights.vocabulary
        tokens = np.array([vocabulary.first, *ids, vocabulary.last], dtype=np.int64)
        embedded = self._weights.tokens(tokens) + self._positions[: len(tokens)]
        mean: Floats32 = self._session.run(["mean"], {"embedded": embedded[None]})[0][0]
        return mean


class TextTokenizer:
    """Turns texts into token ids, without the first and last token: SentencePiece unigram, by ``tokenizers``."""

    def __init__(self, vocabulary: TokenVocabulary) -> None:
        from tokenizers import Tokenizer
        from tokenizers.models import Unigram
        from tokenizers.pre_tokenizers import Metaspace

        pieces = list(zip(vocabulary.pieces, vocabulary.scores, strict=True))
        self._tokenizer: Any = Tokenizer(Unigram(pieces, vocabulary.unknown, byte_fallback=False))
        self._tokenizer.pre_tokenizer = Metaspace()
        self._characters = dict(vocabulary.characters)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, in the order of the texts."""
        normal = [_SPACES.sub(" ", text.translate(self._characters)) for text in texts]
        return [encoding.ids for encoding in self._tokenizer.encode_batch(normal, add_special_tokens=False)]


def _session(graph: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Several texts at once use the cores better than one text on several cores.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
