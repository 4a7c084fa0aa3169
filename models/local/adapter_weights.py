"""The matrices of an adapter in safetensors: floats, or bytes with a scale for each direction of the rank.

``safetensors`` is imported only when a file is read or written.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm4tag.models.judge_adapter import Adapter
from llm4tag.models.machine import optional_package
from llm4tag.schema import ModelError, ModelSetupError, UsageError
from llm4tag.schema.adapter_card import CARD_FILE
from llm4tag.schema.errors import Step

SCALE = ".scale"
"""Ends the name of the tensor that a matrix of bytes is multiplied with; its shape is (rank, 1) or (1, rank)."""
_MOST = 127


def open_weights(weights: Path) -> Any:
    """Return an open safetensors file, to be used in ``with``.

    Raises:
        ModelNotFoundError: the package that reads it is not installed.
        ModelSetupError: it is no safetensors file.
    """
    safetensors = conversion_package("safetensors")
    try:
        return safetensors.safe_open(weights, framework="numpy")
    except safetensors.SafetensorError as error:
        raise ModelSetupError(
            f"it is no safetensors file ({error})", where=weights, remedy="save the adapter again"
        ) from error


def matrix_names(tensors: Any) -> list[str]:
    """Return the names of an open file's tensors, without the scales."""
    names: list[str] = tensors.keys()
    return sorted(name for name in names if not name.endswith(SCALE))


def matrix(tensors: Any, name: str, weights: Path) -> NDArray[Any]:
    """Return a matrix of an open file as floats.

    Args:
        tensors: the open file.
        name: name of the matrix.
        weights: path of the file, for messages.

    Raises:
        ModelSetupError: its numbers cannot be read, or are beyond the range of float16.
    """
    where = f"{weights}: tensor {name!r}"
    try:
        values: NDArray[Any] = tensors.get_tensor(name)
        if values.dtype == np.int8:
            values = values * tensors.get_tensor(name + SCALE).astype(np.float32)
    except (TypeError, AttributeError) as error:  # NumPy has no bfloat16
        raise ModelSetupError(str(error), where=where, remedy="save it as float16 or float32") from error
    except conversion_package("safetensors").SafetensorError as error:
        raise ModelSetupError(str(error), where=where, remedy="shrink the adapter again") from error
    with np.errstate(over="ignore"):
        held = np.isfinite(values.astype(np.float16)).all()
    if not held:
        raise ModelSetupError("it has numbers beyond the range of float16", where=where, remedy="train again")
    return values


def shrink(weights: Path, out: Path) -> None:
    """Write an adapter's matrices as bytes with a scale for each direction of the rank, half the size of float16.

    Raises:
        ModelNotFoundError: the package that writes them is not installed.
        ModelSetupError: the weights cannot be read.
    """
    numpy_files = conversion_package("safetensors.numpy")
    small: dict[str, NDArray[Any]] = {}
    with open_weights(weights) as tensors:
        for name in matrix_names(tensors):
            small |= _as_bytes(name, matrix(tensors, name, weights).astype(np.float32))
    numpy_files.save_file(small, out)


def shrink_folder(adapter: Adapter, out: Path) -> None:
    """Write an adapter's folder again with its matrices as bytes; the card has the new file's sha256.

    Raises:
        UsageError: the folder exists.
        ModelNotFoundError, ModelSetupError: as ``shrink``.
        ModelError: the folder cannot be written.
    """
    try:
        out.mkdir(parents=True)
        weights = out / adapter.weights.name
        shrink(adapter.weights, weights)
        sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
        card = adapter.card.model_copy(
            update={"adapter": adapter.card.adapter.model_copy(update={"sha256": sha256})}
        )
        (out / CARD_FILE).write_text(card.model_dump_json(indent=1) + "\n", "utf-8")
    except FileExistsError as error:
        raise UsageError("it exists already", where=out, option="out", remedy="name another folder") from error
    except OSError as error:
        raise ModelError(
            str(error), where=out, remedy="give another place as {out}, or free disk space"
        ) from error


def _as_bytes(name: str, values: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    # The rank is the shorter side: A is (rank, in), B is (out, rank).
    along = 1 if values.shape[0] < values.shape[1] else 0
    scale = np.abs(values).max(axis=along, keepdims=True) / _MOST
    scale[scale == 0] = 1
    return {name: np.rint(values / scale).astype(np.int8), name + SCALE: scale.astype(np.float32)}


def conversion_package(name: str) -> Any:
    """Import a package that adapters are read and written with.

    Raises:
        ModelNotFoundError: it is not installed.
    """
    return optional_package(name, "reads and writes adapters", Step.INSTALL_LOCAL)
