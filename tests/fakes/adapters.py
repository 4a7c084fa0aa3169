"""A small adapter's folder with true sha256s, and a GGUF file to be its base."""

import hashlib
import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors.numpy import save_file

RANK, WIDTH = 2, 8
FORM = {
    "system": "You check tags. Answer only Yes or No.",
    "content": "Item:\n{text}\n",
    "similar_header": "\nSimilar items:\n",
    "similar_line": "- {first_line}: {tag_ids}\n",
    "tag": "\nTag: {id} ({name}). {description}\nDoes this tag apply?",
}
GENERIC = {"system": "You check.", "content": "Item:\n{text}\n", "tag": "\nTag: {name}\nDoes this tag apply?"}


def base_file(
    path: Path, architecture: str = "qwen2", weights: dict[str, np.ndarray[Any, Any]] | None = None
) -> Path:
    """Write a GGUF file with these tensors, or without any."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    for name, one in (weights or {}).items():
        writer.add_tensor(name, one)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tensors(names: tuple[str, ...] = ("self_attn.q_proj", "mlp.down_proj")) -> dict[str, np.ndarray[Any, Any]]:
    """Return two matrices for each projection of two layers; no two numbers are alike."""
    found = {}
    for layer in range(2):
        for number, name in enumerate(names):
            start = 100 * layer + 40 * number
            a = start + np.arange(RANK * WIDTH, dtype=np.float32).reshape(RANK, WIDTH)
            stem = f"model.layers.{layer}.{name}"
            found[f"{stem}.lora_A.default.weight"] = a
            found[f"{stem}.lora_B.default.weight"] = np.ascontiguousarray(a.T) + 16
    return found


def adapter_folder(
    folder: Path, base: Path, weights: dict[str, np.ndarray[Any, Any]] | None = None, **card: Any
) -> Path:
    """Write a folder for that base; ``card`` replaces parts of adapter.json."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "adapter.safetensors"
    save_file(tensors() if weights is None else weights, file)
    body = {
        "name": "judge-test",
        "kind": "yes/no judge, LoRA",
        "base": {"model": "Test", "file": base.name, "sha256": sha256(base)},
        "adapter": {"file": file.name, "sha256": sha256(file), "rank": RANK, "alpha": 4, "targets": ["q_proj"]},
        "trained_on": {"set": "none", "contents": 0},
        "licence": "CC0",
        "answer": {"yes": "Yes", "no": "No"},
        "prompt": FORM,
        "forms_that_travelled": {"generic": GENERIC},
        "limits": {"text": 60, "similar": 2, "similar_first_line": 20, "description": 30},
        **card,
    }
    (folder / "adapter.json").write_text(json.dumps(body), "utf-8")
    return folder


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
