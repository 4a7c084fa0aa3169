"""The merge of an adapter into its base: one GGUF file, for servers that load no adapter.

Each projection becomes W + (alpha / rank) · B · A, with the base's values dequantised. An adapter's changes are
too fine for the base's four bits, so these weights are stored in eight.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm4tag.models.judge_adapter import Adapter
from llm4tag.models.local.adapter_conversion import BaseFacts, TensorProgress, base_facts, gguf_matrices, read_base
from llm4tag.models.local.adapter_weights import conversion_package
from llm4tag.models.local.model_files import hash_file
from llm4tag.schema import ModelError, ModelSetupError, UsageError
from llm4tag.schema.adapter_card import CARD_FILE, MergedModel
from llm4tag.schema.drafts import draft_of


def merged_tensor_count(base: Path) -> int:
    """Return how many tensors a merged file has, which is as many as its base has.

    Raises:
        ModelNotFoundError: the package that reads the base is not installed.
        ModelSetupError: the base is no GGUF file.
    """
    return len(read_base(base).tensors)


def merge_folder(adapter: Adapter, base: Path, out: Path, done: TensorProgress = lambda _: None) -> Path:
    """Write a folder with the merged model and a card with its prompt forms; return the model's file.

    Args:
        adapter: the adapter to merge.
        base: the model file that it was trained on.
        out: path of the folder, which must not exist.
        done: called after each tensor; there are ``merged_tensor_count`` of them.

    Raises:
        UsageError: the folder exists, or the adapter is merged already.
        ModelNotFoundError: the packages that merge are not installed.
        ModelSetupError: a tensor has no counterpart in the base, or the base's numbers cannot be read.
        ModelError: a file cannot be read or written.
    """
    if adapter.merged:
        raise UsageError(
            "it is merged already", where=adapter.folder, remedy="name the folder of the adapter itself"
        )
    try:
        out.mkdir(parents=True)
        file = out / f"{adapter.card.name}.gguf"
        with draft_of(file) as draft:
            _write(adapter, base, draft, done)
        merged = MergedModel(file=file.name, sha256=hash_file(file))
        card = adapter.card.model_copy(update={"merged": merged})
        (out / CARD_FILE).write_text(card.model_dump_json(indent=1) + "\n", "utf-8")
    except FileExistsError as error:
        raise UsageError("it exists already", where=out, option="out", remedy="name another folder") from error
    except OSError as error:
        raise ModelError(
            str(error), where=out, remedy="give another place as {out}, or free disk space"
        ) from error
    return file


def _write(adapter: Adapter, base: Path, out: Path, done: TensorProgress) -> None:
    gguf = conversion_package("gguf")
    reader = read_base(base)
    facts = base_facts(reader, base)
    changes = _changes(adapter, facts)
    known = {tensor.name for tensor in reader.tensors}
    if unknown := sorted(changes.keys() - known):
        raise ModelSetupError(
            f"it has no tensor {unknown[0]!r}, which the adapter changes", where=base, remedy="check the card"
        )
    kind = gguf.GGMLQuantizationType.Q8_0
    writer = gguf.GGUFWriter(out, facts.architecture)
    writer.add_name(adapter.card.name)
    for field in reader.fields.values():
        _copy_field(gguf, writer, field)
    for tensor in reader.tensors:
        if tensor.name in changes:
            rows, columns = tensor.shape[::-1]
            size = gguf.quants.quant_shape_to_byte_shape((rows, columns), kind)
            writer.add_tensor_info(tensor.name, size, np.dtype(np.uint8), int(np.prod(size)), kind)
        else:
            data = tensor.data
            writer.add_tensor_info(tensor.name, data.shape, data.dtype, data.nbytes, tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in reader.tensors:
        data = tensor.data
        if tensor.name in changes:
            lora_a, lora_b = changes[tensor.name]
            scale = adapter.card.adapter.alpha / adapter.card.adapter.rank
            whole = gguf.quants.dequantize(data, tensor.tensor_type) + scale * (lora_b @ lora_a)
            data = gguf.quants.quantize(whole.astype(np.float32), kind)
        writer.write_tensor_data(data)
        done(1)
    writer.close()


def _changes(adapter: Adapter, base: BaseFacts) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return the matrices A and B by the name of the tensor that they change."""
    sides: dict[str, dict[str, NDArray[np.float32]]] = {}
    for name, values in gguf_matrices(adapter, base):
        target, _, side = name.rpartition(".lora_")
        sides.setdefault(target, {})[side] = values.astype(np.float32)
    return {target: (both["a"], both["b"]) for target, both in sides.items()}


def _copy_field(gguf: Any, writer: Any, field: Any) -> None:
    # The writer writes these fields itself.
    if field.name.startswith("GGUF.") or field.name in (gguf.Keys.General.ARCHITECTURE, gguf.Keys.General.NAME):
        return
    kind, *_ = field.types
    inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
    writer.add_key_value(field.name, field.contents(), kind, sub_type=inner)
