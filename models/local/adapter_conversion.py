"""An adapter's weights from safetensors to GGUF, the form that the local server loads.

Names, shapes and metadata as llama.cpp's own converter writes them; ``gguf`` and ``safetensors`` are imported when
something is converted.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm4tag.models.judge_adapter import Adapter
from llm4tag.models.local.adapter_weights import matrix, matrix_names, opened, package
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
"""Of the base: those whose tensors carry over by name; for llama queries and keys are interleaved besides."""


@dataclass(frozen=True)
class BaseFacts:
    """What carrying an adapter over depends on of its base."""

    architecture: str
    heads: Mapping[str, int]
    """Of the projections of queries and keys."""


Done = Callable[[int], None]
"""Called with the number of tensors just written."""


def converted_path(adapter: Adapter, cache_dir: Path) -> Path:
    """Return where an adapter's GGUF file is kept."""
    return cache_dir / "adapters" / f"{adapter.sha256}.gguf"


def convert_once(adapter: Adapter, base: Path, cache_dir: Path) -> Path:
    """Return the adapter's GGUF file in the cache folder, written at the first use.

    Raises:
        ModelNotFoundError: the packages for it are not installed.
        ModelSetupError: its tensors cannot be carried over.
        ModelError: the file cannot be written.
    """
    path = converted_path(adapter, cache_dir)
    # It is named by the sha256 of what it was made from, and put there whole.
    if not path.is_file():
        convert(adapter, base, path)
    return path


def with_adapter(model: ModelFile, adapter: Adapter | None, cache_dir: Path) -> ModelFile:
    """Return a model file with the adapter to be loaded beside it, converted at the first use.

    Raises:
        ModelNotFoundError, ModelSetupError, ModelError: as ``convert``.
    """
    if adapter is None or adapter.merged:
        return model
    path = convert_once(adapter, model.path, cache_dir)
    return model.model_copy(update={"lora": path, "lora_sha256": adapter.sha256})


def convert(adapter: Adapter, base: Path, out: Path, done: Done = lambda _: None) -> None:
    """Write an adapter as GGUF, in float16.

    Args:
        adapter: whose weights.
        base: the model file that it was trained on: says the architecture.
        out: replaced whole, or left as it is.
        done: counts tensors; there are ``tensor_count`` of them.

    Raises:
        ModelNotFoundError: the packages for it are not installed.
        ModelSetupError: a tensor or the base's architecture has no known counterpart.
        ModelError: a file cannot be read or written.
    """
    gguf = package("gguf")
    facts = base_facts(read_base(base), base)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with draft_of(out) as partial:
            writer = gguf.GGUFWriter(partial, facts.architecture)
            writer.add_type(gguf.GGUFType.ADAPTER)
            writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
            writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, adapter.card.adapter.alpha)
            writer.add_name(adapter.card.name)
            for tensor, values in carried_matrices(adapter, facts):
                writer.add_tensor(tensor, values)
                done(1)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.close()
    except OSError as error:
        raise ModelError(f"{out}: {error}; give another place with --out, or free disk space") from error


def tensor_count(adapter: Adapter) -> int:
    """Return how many tensors an adapter has.

    Raises:
        ModelNotFoundError: the package that reads them is not installed.
        ModelSetupError: the file is none of safetensors.
    """
    with opened(adapter.weights) as tensors:
        return len(matrix_names(tensors))


def base_of(adapter: Adapter, cache_dir: Path) -> Path:
    """Return the pulled model that an adapter was trained on.

    Raises:
        ModelNotFoundError: it is not a known one, or not on this machine.
    """
    base = adapter.card.base
    for model in MODELS.values():
        path = models_folder(cache_dir) / model.file
        if model.sha256 == base.sha256:
            if path.is_file():
                return path
            raise ModelNotFoundError(
                f"{path}: the adapter's base is not here; run `llm4tag model pull {model.name}`"
            )
    raise ModelNotFoundError(
        f"{base.file} (sha256 {base.sha256[:12]}…), the adapter's base, is no model that llm4tag pulls; "
        "name its file with --base"
    )


def check_base(adapter: Adapter, base: Path, cache_dir: Path) -> None:
    """Refuse a file that the adapter was not trained on.

    Raises:
        ModelSetupError: it is another.
    """
    if (found := file_sha256(base, cache_dir)) != adapter.card.base.sha256:
        raise ModelSetupError(
            f"{base}: its sha256 is {found[:12]}…, the adapter was trained on {adapter.card.base.file} "
            f"({adapter.card.base.sha256[:12]}…); name that file with --base"
        )


def carried_matrices(adapter: Adapter, base: BaseFacts) -> Iterator[tuple[str, NDArray[np.float16]]]:
    """Yield each matrix under its name in GGUF: A is (rank, in), B is (out, rank).

    Raises:
        ModelNotFoundError: the package that reads them is not installed.
        ModelSetupError: a tensor has no known counterpart.
    """
    seen: dict[str, set[str]] = {}
    rank = adapter.card.adapter.rank
    with opened(adapter.weights) as tensors:
        for name in matrix_names(tensors):
            match = _NAME.fullmatch(name)
            if match is None or match["projection"] not in _PROJECTIONS:
                raise ModelSetupError(
                    f"{adapter.weights}: tensor {name!r} is no LoRA matrix of a projection "
                    f"({', '.join(_PROJECTIONS)}); train with these as targets alone"
                )
            values = matrix(tensors, name, adapter.weights)
            side, projection = match["side"], match["projection"]
            if values.ndim != 2 or values.shape[0 if side == "A" else 1] != rank:
                raise ModelSetupError(
                    f"{adapter.weights}: tensor {name!r} has the shape {values.shape}, the card's adapter.rank is "
                    f"{rank}; correct the card"
                )
            if base.architecture == "llama" and side == "B" and projection in base.heads:
                values = interleaved(values, base.heads[projection])
            target = f"blk.{match['layer']}.{_PROJECTIONS[projection]}.weight"
            seen.setdefault(target, set()).add(side)
            yield f"{target}.lora_{side.lower()}", values.astype(np.float16)
    if lone := [target for target, sides in seen.items() if len(sides) == 1]:
        raise ModelSetupError(f"{adapter.weights}: {lone[0]} has one LoRA matrix of two; save the adapter anew")
    if not seen:
        raise ModelSetupError(f"{adapter.weights}: holds no tensor; save the adapter anew")


def interleaved(rows: NDArray[Any], heads: int) -> NDArray[Any]:
    """Order the rows of a query or key projection as llama.cpp rotates them: pairs side by side, head by head."""
    halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def read_base(base: Path) -> Any:
    """Return the base's file, open to be read.

    Raises:
        ModelNotFoundError: the package that reads it is not installed.
        ModelSetupError: it is no GGUF file.
    """
    try:
        return package("gguf").GGUFReader(base)
    except (OSError, ValueError) as error:
        raise ModelSetupError(f"{base}: cannot be read as GGUF ({error}); pull or copy it anew") from error


def base_facts(reader: Any, base: Path) -> BaseFacts:
    """Return what carrying over depends on, of an open file.

    Raises:
        ModelSetupError: adapters for its architecture cannot be carried over.
    """
    fields = reader.fields
    architecture = str(fields["general.architecture"].contents())
    if architecture not in ARCHITECTURES:
        raise ModelSetupError(
            f"{base}: adapters for {architecture} cannot be converted, those for {', '.join(ARCHITECTURES)} can; "
            "convert it with llama.cpp's convert_lora_to_gguf.py, or merge it into the base"
        )
    heads = {}
    for projection, key in (("q_proj", "head_count"), ("k_proj", "head_count_kv")):
        if field := fields.get(f"{architecture}.attention.{key}"):
            heads[projection] = int(field.contents())
    return BaseFacts(architecture, heads)
