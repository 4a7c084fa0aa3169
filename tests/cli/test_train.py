"""``llm4tag train convert``, and the refusals of ``--adapter`` on the command line."""

from pathlib import Path

import gguf
import pytest

from schema import settings
from tests.cli.running import ROWS, llm4tag
from tests.fakes.adapters import adapter_folder, base_file, sha256
from tests.ingest.files import jsonl


def test_an_adapter_is_converted_to_a_file_or_to_the_cache(tmp_path: Path) -> None:
    base = base_file(tmp_path / "base.gguf")
    folder = adapter_folder(tmp_path / "judge", base)
    out = tmp_path / "here.gguf"
    done = llm4tag("train", "convert", folder, "--base", base, "--out", out)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(out)
    assert len(gguf.GGUFReader(out).tensors) == 8
    kept = llm4tag("train", "convert", folder, "--base", base)
    path = settings().cache_dir / "adapters" / f"{sha256(folder / 'adapter.safetensors')}.gguf"
    assert kept.stdout.strip() == str(path)
    assert path.read_bytes() == out.read_bytes()
    unknown = llm4tag("train", "convert", folder)
    assert unknown.exit_code == 1
    assert "is no model that llm4tag pulls; name its file with --base" in unknown.stderr
    other = llm4tag("train", "convert", folder, "--base", base_file(tmp_path / "other.gguf", "llama"))
    assert other.exit_code == 1
    assert "the adapter was trained on base.gguf" in other.stderr


@pytest.mark.parametrize("command", ["tag", "evaluate", "calibrate"])
def test_an_adapter_for_another_model_is_refused_and_the_option_beats_the_environment(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    base = base_file(tmp_path / "base.gguf")
    folder = adapter_folder(tmp_path / "judge", base)
    rows = [row | {"tags": ["web"]} for row in ROWS]
    args = (command, jsonl(tmp_path / "new.jsonl", *rows), "--store", full, "-o", tmp_path / "out.jsonl")
    monkeypatch.setenv("LLM4TAG_ADAPTER", str(tmp_path / "nowhere"))
    given = llm4tag(*args, "--adapter", folder)
    assert given.exit_code == 2, given.output
    assert "was trained on base.gguf" in given.stderr
    assert f"local/PATH of {base.name}, or --adapter none" in given.stderr
    environment = llm4tag(*args)
    assert environment.exit_code == 1
    assert f"{tmp_path / 'nowhere' / 'adapter.json'}: no such file" in environment.stderr
    remote = llm4tag(*args, "--adapter", folder, "--model", "openai/x")
    assert remote.exit_code == 2
    assert "merge the adapter into its base, serve that, name it with --model" in remote.stderr
