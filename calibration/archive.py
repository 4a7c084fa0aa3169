"""Fitted models as bytes: a compressed NumPy archive with a JSON head. Reading one never runs code."""

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm4tag.schema import StoreError
from llm4tag.schema.errors import Step

Arrays = Mapping[str, NDArray[Any]]

_HEAD = "head"


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
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return json.loads(arrays.pop(_HEAD).tobytes()), arrays
    except (KeyError, OSError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"no archive: {error}") from error
