"""The model, loaded: texts to vectors, a text a core."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from llm4tag.models.cores import usable_cores
from llm4tag.models.e5.onnx_encoder import encoder
from llm4tag.models.e5.tokenizer import Tokeniser
from llm4tag.models.e5.weights import Floats, read_weights


class Engine:
    """Embeds texts on the processor.

    Args:
        path: of the package's file.
        threads: texts at the same time; None: as many as there are cores for this process.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is in another format.
        ImportError: ``onnxruntime``, ``onnx`` or ``tokenizers`` is not installed.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self._weights = read_weights(path)
        self._tokeniser = Tokeniser(self._weights.vocabulary)
        table = self._weights.matrix("emb.pos", self._weights.width)
        self._positions = table + self._weights.matrix("emb.type", self._weights.width)[0]
        self._session = _session(encoder(self._weights))
        self._pool = ThreadPoolExecutor(threads or usable_cores(), thread_name_prefix="e5")

    def embed(self, texts: Sequence[str], most: int | None = None) -> Floats:
        """Return L2-normalised vectors, shape (len(texts), width).

        A text longer than the model reads at once is the mean over its windows, each weighing by its tokens.

        Args:
            texts: with their prefix.
            most: tokens of a text that count; None: all.
        """
        ids = self._tokeniser.ids(texts)
        # The longest first, or a core waits while another one finishes.
        order = sorted(range(len(ids)), key=lambda row: -len(ids[row]))
        vectors = np.empty((len(ids), self._weights.width), dtype=np.float32)
        for row, vector in zip(order, self._pool.map(lambda row: self._text(ids[row][:most]), order), strict=True):
            vectors[row] = vector
        return vectors

    def _text(self, ids: list[int]) -> Floats:
        size = self._weights.longest - 2
        windows = [ids[start : start + size] for start in range(0, max(1, len(ids)), size)]
        total = sum(max(1, len(window)) * self._window(window) for window in windows)
        vector: Floats = np.asarray(total, dtype=np.float32)
        return vector / max(float(np.linalg.norm(vector)), 1e-12)

    def _window(self, ids: list[int]) -> Floats:
        vocabulary = self._weights.vocabulary
        tokens = np.array([vocabulary.first, *ids, vocabulary.last], dtype=np.int64)
        embedded = self._weights.tokens(tokens) + self._positions[: len(tokens)]
        mean: Floats = self._session.run(["mean"], {"embedded": embedded[None]})[0][0]
        return mean


def _session(graph: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # One thread a text: several texts at once use the cores better than one text on several.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
