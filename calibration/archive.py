"""Fitted models as bytes: a compressed NumPy archive with a JSON head.

Reading one never runs code, takes no more memory than a real one of its size would, and what it returns has been
checked: numbers are finite, and sparse rows are within their bounds.
"""

import io
import json
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from llm4tag.schema import StoreError
from llm4tag.schema.errors import Step

Arrays = Mapping[str, NDArray[Any]]

_HEAD = "head"
_MOST_UNPACKED, _FREE = 60, 64_000_000
"""An archive may unpack to this many times its size, and that many bytes more."""


def packed(head: Mapping[str, Any], arrays: Arrays) -> bytes:
    """Return a head (anything JSON can say) and arrays as bytes."""
    buffer = io.BytesIO()
    encoded = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
    np.savez_compressed(buffer, allow_pickle=False, **{_HEAD: encoded, **arrays})
    return buffer.getvalue()


@contextmanager
def reading(what: str, step: Step) -> Iterator[None]:
    """Turn what goes wrong while a stored model is read into an error that says what to do.

    Args:
        what: the name of what is read.
        step: fits it again.

    Raises:
        StoreError: in place of ValueError and KeyError.
    """
    try:
        yield
    except (ValueError, KeyError) as error:
        raise StoreError(
            f"the store's {what} cannot be read ({error})", remedy=f"{{{step.name.lower()}}}"
        ) from error


def unpacked(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the head and the arrays of ``packed``.

    Raises:
        ValueError: the bytes are no such archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_sizes(archive, len(data))
        with np.load(io.BytesIO(data), allow_pickle=False) as loaded:
            arrays = {name: loaded[name] for name in loaded.files}
        head = json.loads(arrays.pop(_HEAD).tobytes())
    except (KeyError, OSError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"no archive: {error}") from error
    if not isinstance(head, dict):
        raise ValueError("no archive: its head is no object")
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
            raise ValueError(f"{name} has values that are no finite numbers")
    return head, arrays


def _check_sizes(archive: zipfile.ZipFile, packed_size: int) -> None:
    """Check that no array claims more than is there, before any memory is taken for it."""
    members = archive.infolist()
    if sum(member.file_size for member in members) > _MOST_UNPACKED * packed_size + _FREE:
        raise ValueError("it would unpack to far more than its size")
    for member in members:
        with archive.open(member) as file:
            version = np.lib.format.read_magic(file)
            read = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read(file)
            if dtype.hasobject or file.tell() + math.prod(shape) * dtype.itemsize != member.file_size:
                raise ValueError(f"{member.filename} is not as large as it says")


def sparse_arrays(rows: csr_array, name: str) -> dict[str, NDArray[Any]]:
    """Return sparse rows as arrays of ``packed``; their values are halved to float16."""
    return {
        f"{name}_values": rows.data.astype(np.float16),
        f"{name}_columns": rows.indices.astype(np.int32),
        f"{name}_starts": rows.indptr.astype(np.int64),
    }


def sparse_rows(arrays: Arrays, name: str, shape: tuple[int, int]) -> csr_array:
    """Return the sparse rows of ``sparse_arrays``.

    Raises:
        ValueError: they are not of that shape, or a column lies outside it.
        KeyError: an array is missing.
    """
    values, columns, starts = (arrays[f"{name}_{part}"] for part in ("values", "columns", "starts"))
    if values.ndim != 1 or columns.shape != values.shape or starts.shape != (shape[0] + 1,):
        raise ValueError(f"{name} is not of the shape {shape}")
    if starts[0] != 0 or starts[-1] != len(values) or (np.diff(starts) < 0).any():
        raise ValueError(f"the rows of {name} are not in order")
    if len(columns) and (columns.min() < 0 or columns.max() >= shape[1]):
        raise ValueError(f"{name} has a column outside its {shape[1]}")
    # scipy takes a row whose columns rise for canonical and does not look again.
    falls = np.diff(columns.astype(np.int64)) <= 0
    falls[starts[1:-1][(starts[1:-1] > 0) & (starts[1:-1] < len(columns))] - 1] = False
    if falls.any():
        raise ValueError(f"the columns of {name} do not rise")
    index = np.int32 if len(values) < np.iinfo(np.int32).max else np.int64
    parts = (values.astype(np.float32), columns.astype(index), starts.astype(index))
    return csr_array(parts, shape=shape)


def array_of(arrays: Arrays, name: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """Return an array whose shape is checked; None means any length.

    Raises:
        ValueError: it has another shape.
        KeyError: it is missing.
    """
    array = arrays[name]
    if array.ndim != len(shape) or any(
        want not in (None, have) for want, have in zip(shape, array.shape, strict=True)
    ):
        raise ValueError(f"{name} has the shape {array.shape}, not {shape}")
    return array
