"""The matrices of an adapter in safetensors: floats, or bytes with a scale for each of the rank's directions.

``safetensors`` is imported when a file is read or written.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm4tag.models.judge_adapter import Adapter
from llm4tag.models.optional import optional_package
from llm4tag.schema import ModelError, ModelSetupError, UsageError
from llm4tag.schema.adapter_card import CARD_FILE

SCALE = ".scale"
"""After the name of a matrix of bytes: the tensor that it is multiplied with, (rank, 1) or (1, rank)."""
_MOST = 127


def opened(weights: Path) -> Any:
    """Return an open safetensors file, for ``with``.

    Raises:
        ModelNotFoundError: the package that reads them is not installed.
        ModelSetupError: the file is none of safetensors.
    """
    safetensors = package("safetensors")
    try:
        return safetensors.safe_open(weights, framework="numpy")
    except safetensors.SafetensorError as error:
        raise ModelSetupError(f"{weights}: is no safetensors file ({error}); save the adapter anew") from error


def matrix_names(tensors: Any) -> list[str]:
    """Return the names of an open file's tensors but for the scales."""
    names: list[str] = tensors.keys()
    return sorted(name for name in names if not name.endswith(SCALE))


def matrix(tensors: Any, name: str, weights: Path) -> NDArray[Any]:
    """Return a matrix of an open file as floats.

    Raises:
        ModelSetupError: its numbers cannot be read, or float16 cannot hold them.
    """
    try:
        values: NDArray[Any] = tensors.get_tensor(name)
        if values.dtype == np.int8:
            values = values * tensors.get_tensor(name + SCALE).astype(np.float32)
    except (TypeError, AttributeError) as error:  # NumPy has no bfloat16
        raise ModelSetupError(f"{weights}: tensor {name!r}: {error}; save it as float16 or float32") from error
    except package("safetensors").SafetensorError as error:
        raise ModelSetupError(f"{weights}: tensor {name!r}: {error}; shrink the adapter anew") from error
    with np.errstate(over="ignore"):
        held = np.isfinite(values.astype(np.float16)).all()
    if not held:
        raise ModelSetupError(f"{weights}: tensor {name!r} holds numbers that float16 cannot; train anew")
    return values


def shrink(weights: Path, out: Path) -> None:
    """Write an adapter's matrices as bytes, a scale for each direction of its rank: half of float16's size.

    Raises:
        ModelNotFoundError: the package that does it is not installed.
        ModelSetupError: the weights cannot be read.
    """
    numpy_files = package("safetensors.numpy")
    small: dict[str, NDArray[Any]] = {}
    with opened(weights) as tensors:
        for name in matrix_names(tensors):
            small |= _as_bytes(name, matrix(tensors, name, weights).astype(np.float32))
    numpy_files.save_file(small, out)


def shrink_folder(adapter: Adapter, out: Path) -> None:
    """Write an adapter's folder with its matrices as bytes; the card says the new file's sha256.

    Raises:
        UsageError: the folder is there already.
        ModelNotFoundError, ModelSetupError: as ``shrink``.
        ModelError: it cannot be written.
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
        raise UsageError(f"--out {out}: is there already; name a folder that is not") from error
    except OSError as error:
        raise ModelError(f"{out}: {error}; give another place with --out, or free disk space") from error


def _as_bytes(name: str, values: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    # The rank is the shorter side: A is (rank, in), B is (out, rank).
    along = 1 if values.shape[0] < values.shape[1] else 0
    scale = np.abs(values).max(axis=along, keepdims=True) / _MOST
    scale[scale == 0] = 1
    return {name: np.rint(values / scale).astype(np.int8), name + SCALE: scale.astype(np.float32)}


def package(name: str) -> Any:
    """Import what adapters are read and written with.

    Raises:
        ModelNotFoundError: it is not installed.
    """
    return optional_package(name, "adapters are converted with", "local")
