"""The conversion of an adapter's weights from safetensors to GGUF, the form that the local server loads.

Names, shapes and metadata are those of llama.cpp's own converter. ``gguf`` and ``safetensors`` are imported only
when something is converted.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm4tag.models.judge_adapter import Adapter
from llm4tag.models.local.adapter_weights import conversion_package, matrix, matrix_names, open_weights
from llm4tag.models.local.known_models import MODELS, models_folder
from llm4tag.models.local.model_files import ModelFile, file_sha256
from llm4tag.schema import ModelError, ModelNotFoundError, ModelSetupError
from llm4tag.schema.drafts import draft_of

_PROJECTIONS = {
    "q_proj": "attn_q",
    "k_proj": "attn_k",
    "v_proj": "attn_v",
    "o_proj": "attn_output",
    "gate_proj": "ffn_gate",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
}
_NAME = re.compile(
    r"(?:base_model\.model\.)?model\.layers\.(?P<layer>\d+)\.(?:self_attn|mlp)\.(?P<projection>\w+)"
    r"\.lora_(?P<side>[AB])(?:\.\w+)?\.weight"
)
ARCHITECTURES = ("qwen2", "qwen3", "llama")
"""Architectures of a base whose tensors are converted by name; for llama, queries and keys are interleaved."""


@dataclass(frozen=True)
class BaseFacts:
    """The facts about a base that the conversion of its adapters depends on."""

    architecture: str
    heads: Mapping[str, int]
    """Number of attention heads of the projections of queries and keys, by the projection's name."""


TensorProgress = Callable[[int], None]
"""Called with the number of tensors that were just written."""


def converted_path(adapter: Adapter, cache_dir: Path) -> Path:
    """Return the path of an adapter's GGUF file in the cache folder."""
    return cache_dir / "adapters" / f"{adapter.sha256}.gguf"


def convert_once(adapter: Adapter, base: Path, cache_dir: Path) -> Path:
    """Return the adapter's GGUF file in the cache folder, which the first use writes.

    Raises:
        ModelNotFoundError: the packages that convert are not installed.
        ModelSetupError: its tensors cannot be converted.
        ModelError: the file cannot be written.
    """
    path = converted_path(adapter, cache_dir)
    # Its name is the sha256 of the adapter's weights, and it appears only when it is complete.
    if not path.is_file():
        convert(adapter, base, path)
    return path


def with_adapter(model: ModelFile, adapter: Adapter | None, cache_dir: Path) -> ModelFile:
    """Return a model file with the adapter that is loaded in addition, which the first use converts.

    Raises:
        ModelNotFoundError, ModelSetupError, ModelError: as ``convert``.
    """
    if adapter is None or adapter.merged:
        return model
    path = convert_once(adapter, model.path, cache_dir)
    return model.model_copy(update={"lora": path, "lora_sha256": adapter.sha256})


def convert(adapter: Adapter, base: Path, out: Path, done: TensorProgress = lambda _: None) -> None:
    """Write an adapter as GGUF, in float16.

    Args:
        adapter: the adapter to convert.
        base: the model file that it was trained on, which names the architecture.
        out: path of the file; a file that is there is replaced when the new one is complete.
        done: called after each tensor; there are ``tensor_count`` of them.

    Raises:
        ModelNotFoundError: the packages that convert are not installed.
        ModelSetupError: a tensor or the base's architecture has no known counterpart.
        ModelError: a file cannot be read or written.
    """
    gguf = conversion_package("gguf")
    facts = base_facts(read_base(base), base)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with draft_of(out) as partial:
            writer = gguf.GGUFWriter(partial, facts.architecture)
            writer.add_type(gguf.GGUFType.ADAPTER)
            writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
            writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, adapter.card.adapter.alpha)
            writer.add_name(adapter.card.name)
            for tensor, values in gguf_matrices(adapter, facts):
                writer.add_tensor(tensor, values)
                done(1)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.close()
    except OSError as error:
        raise ModelError(
            str(error), where=out, remedy="give another place as {out}, or free disk space"
        ) from error


def tensor_count(adapter: Adapter) -> int:
    """Return how many tensors an adapter has.

    Raises:
        ModelNotFoundError: the package that reads them is not installed.
        ModelSetupError: the adapter's file is no safetensors file.
    """
    with open_weights(adapter.weights) as tensors:
        return len(matrix_names(tensors))


def base_of(adapter: Adapter, cache_dir: Path) -> Path:
    """Return the file of the downloaded model that an adapter was trained on.

    Raises:
        ModelNotFoundError: the model is not a known one, or not on this machine.
    """
    base = adapter.card.base
    for model in MODELS.values():
        path = models_folder(cache_dir) / model.file
        if model.sha256 == base.sha256:
            if path.is_file():
                return path
            raise ModelNotFoundError(
                "the adapter's base is not on this machine", where=path, remedy="{pull_model}", model=model.name
            )
    raise ModelNotFoundError(
        f"{base.file} (sha256 {base.sha256[:12]}…), the adapter's base, is no model that llm4tag can download",
        remedy="name its file as {base}",
    )


def check_base(adapter: Adapter, base: Path, cache_dir: Path) -> None:
    """Refuse a file that the adapter was not trained on.

    Raises:
        ModelSetupError: it is another file.
    """
    if (found := file_sha256(base, cache_dir)) != adapter.card.base.sha256:
        raise ModelSetupError(
            f"its sha256 is {found[:12]}…, the adapter was trained on {adapter.card.base.file} "
            f"({adapter.card.base.sha256[:12]}…)",
            where=base,
            remedy="name that file as {base}",
        )


def gguf_matrices(adapter: Adapter, base: BaseFacts) -> Iterator[tuple[str, NDArray[np.float16]]]:
    """Yield the name of each matrix in GGUF and its values: A has the shape (rank, in), B the shape (out, rank).

    Raises:
        ModelNotFoundError: the package that reads them is not installed.
        ModelSetupError: a tensor has no known counterpart.
    """
    seen: dict[str, set[str]] = {}
    rank = adapter.card.adapter.rank
    with open_weights(adapter.weights) as tensors:
        for name in matrix_names(tensors):
            match = _NAME.fullmatch(name)
            if match is None or match["projection"] not in _PROJECTIONS:
                raise ModelSetupError(
                    f"tensor {name!r} is no LoRA matrix of a projection ({', '.join(_PROJECTIONS)})",
                    where=adapter.weights,
                    remedy="train with these as the only targets",
                )
            values = matrix(tensors, name, adapter.weights)
            side, projection = match["side"], match["projection"]
            if values.ndim != 2 or values.shape[0 if side == "A" else 1] != rank:
                raise ModelSetupError(
                    f"tensor {name!r} has the shape {values.shape}, the card's adapter.rank is {rank}",
                    where=adapter.weights,
                    remedy="correct the card",
                )
            if base.architecture == "llama" and side == "B" and projection in base.heads:
                values = interleaved(values, base.heads[projection])
            target = f"blk.{match['layer']}.{_PROJECTIONS[projection]}.weight"
            seen.setdefault(target, set()).add(side)
            yield f"{target}.lora_{side.lower()}", values.astype(np.float16)
    if lone := [target for target, sides in seen.items() if len(sides) == 1]:
        raise ModelSetupError(
            f"{lone[0]} has one LoRA matrix of two", where=adapter.weights, remedy="save the adapter again"
        )
    if not seen:
        raise ModelSetupError("it has no tensor", where=adapter.weights, remedy="save the adapter again")


def interleaved(rows: NDArray[Any], heads: int) -> NDArray[Any]:
    """Order the rows of a query or key projection as llama.cpp rotates them: in pairs, head by head."""
    halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def read_base(base: Path) -> Any:
    """Open the base's file.

    Raises:
        ModelNotFoundError: the package that reads it is not installed.
        ModelSetupError: it is no GGUF file.
    """
    try:
        return conversion_package("gguf").GGUFReader(base)
    except (OSError, ValueError) as error:
        raise ModelSetupError(
            f"it cannot be read as GGUF ({error})", where=base, remedy="download or copy it again"
        ) from error


def base_facts(reader: Any, base: Path) -> BaseFacts:
    """Return the facts about an open base that the conversion of its adapters depends on.

    Raises:
        ModelSetupError: adapters for its architecture cannot be converted.
    """
    fields = reader.fields
    architecture = str(fields["general.architecture"].contents())
    if architecture not in ARCHITECTURES:
        raise ModelSetupError(
            f"adapters for {architecture} cannot be converted, those for {', '.join(ARCHITECTURES)} can",
            where=base,
            remedy="convert it with llama.cpp's convert_lora_to_gguf.py, or merge it into the base",
        )
    heads = {}
    for projection, key in (("q_proj", "head_count"), ("k_proj", "head_count_kv")):
        if field := fields.get(f"{architecture}.attention.{key}"):
            heads[projection] = int(field.contents())
    return BaseFacts(architecture, heads)
