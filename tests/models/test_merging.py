"""An adapter merged into its base: the weights' numbers, the card, and which models may be used with it."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from llm4tag.models.judge_adapter import open_adapter, read_adapter
from llm4tag.models.local.adapter_conversion import with_adapter
from llm4tag.models.local.adapter_merge import merge_folder, merged_tensor_count
from llm4tag.schema import ModelSetupError, UsageError, settings
from tests.fakes.adapters import RANK, adapter_folder, base_file, sha256
from tests.fakes.command_line import llm4tag

SIDE = 32
"""What the eight bits are grouped by."""


def matrices(seed: int = 3) -> dict[str, np.ndarray[Any, Any]]:
    random = np.random.default_rng(seed)
    shapes = {"lora_A": (RANK, SIDE), "lora_B": (SIDE, RANK)}
    return {
        f"model.layers.0.self_attn.{name}.{side}.default.weight": random.normal(size=shape).astype(np.float32)
        for name in ("q_proj", "v_proj")
        for side, shape in shapes.items()
    }


def weights(names: tuple[str, ...] = ("attn_q", "attn_v", "attn_k")) -> dict[str, np.ndarray[Any, Any]]:
    random = np.random.default_rng(5)
    return {f"blk.0.{name}.weight": random.normal(size=(SIDE, SIDE)).astype(np.float32) for name in names}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return base_file(tmp_path / "base.gguf", weights=weights())


@pytest.fixture
def folder(tmp_path: Path, base: Path) -> Path:
    return adapter_folder(tmp_path / "judge", base, matrices())


def test_the_changes_are_added_and_all_else_is_the_bases(tmp_path: Path, base: Path, folder: Path) -> None:
    counted: list[int] = []
    file = merge_folder(read_adapter(folder, tmp_path), base, tmp_path / "merged", counted.append)
    assert sum(counted) == merged_tensor_count(base) == 3
    assert sorted(one.name for one in file.parent.iterdir()) == ["adapter.json", "judge-test.gguf"]
    read = gguf.GGUFReader(file)
    said = {name: one.contents() for name, one in read.fields.items() if not name.startswith("GGUF.")}
    assert said == {
        "general.architecture": "qwen2",
        "qwen2.attention.head_count": 2,
        "qwen2.attention.head_count_kv": 1,
        "general.name": "judge-test",
    }
    found = {one.name: gguf.quants.dequantize(one.data, one.tensor_type) for one in read.tensors}
    # Alpha is 4, the rank 2.
    a, b = (matrices()[f"model.layers.0.self_attn.v_proj.{side}.default.weight"] for side in ("lora_A", "lora_B"))
    np.testing.assert_allclose(
        found["blk.0.attn_v.weight"], weights()["blk.0.attn_v.weight"] + 2 * b @ a, atol=0.1
    )
    np.testing.assert_array_equal(found["blk.0.attn_k.weight"], weights()["blk.0.attn_k.weight"])
    assert not np.allclose(found["blk.0.attn_q.weight"], weights()["blk.0.attn_q.weight"], atol=0.5)


def test_its_card_names_the_model(tmp_path: Path, base: Path, folder: Path) -> None:
    file = merge_folder(read_adapter(folder, tmp_path), base, tmp_path / "merged")
    merged = str(file.parent)
    for model in (f"local/{file}", "openai/my-judge"):
        adapter = open_adapter(settings(model=model, adapter=merged, cache_dir=tmp_path))
        assert adapter is not None
        assert adapter.merged
        assert adapter.lora_sha256 is None
        assert adapter.sha256 == sha256(folder / "adapter.safetensors")
        assert with_adapter(given := object(), adapter, tmp_path) is given  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"was merged into judge-test.gguf .* is another file"):
        open_adapter(settings(model=f"local/{base}", adapter=merged, cache_dir=tmp_path))
    with pytest.raises(UsageError, match="is merged already"):
        merge_folder(read_adapter(file.parent, tmp_path), base, tmp_path / "twice")


def test_a_base_without_the_tensors_is_refused(tmp_path: Path) -> None:
    base = base_file(tmp_path / "small.gguf", weights=weights(("attn_q",)))
    adapter = read_adapter(adapter_folder(tmp_path / "judge", base, matrices()), tmp_path)
    with pytest.raises(ModelSetupError, match=r"has no tensor 'blk\.0\.attn_v\.weight'"):
        merge_folder(adapter, base, tmp_path / "merged")
    assert not list((tmp_path / "merged").glob("*"))


def test_the_command_merges_into_a_folder_of_its_own(tmp_path: Path, base: Path, folder: Path) -> None:
    out = tmp_path / "merged"
    done = llm4tag("train", "merge", folder, "--base", base, "--out", out)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(out / "judge-test.gguf")
    again = llm4tag("train", "merge", folder, "--base", base, "--out", out)
    assert again.exit_code == 2
    assert "it exists already; name another folder" in again.output
