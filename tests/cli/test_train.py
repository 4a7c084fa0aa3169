"""``llm4tag train export`` and ``convert``, and the refusals of ``--adapter`` on the command line."""

import sys
from pathlib import Path

import gguf
import pytest

from llm4tag.schema import settings
from llm4tag.training.judge_examples import read_examples
from tests.fakes.adapters import adapter_folder, base_file, sha256
from tests.fakes.command_line import ROWS, llm4tag
from tests.fakes.jsonl_files import jsonl, written


def test_an_adapter_is_converted_to_a_file_or_to_the_cache(tmp_path: Path) -> None:
    base = base_file(tmp_path / "base.gguf")
    folder = adapter_folder(tmp_path / "judge", base)
    out = tmp_path / "here.gguf"
    done = llm4tag("train", "convert", folder, "--base", base, "--out", out)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(out)
    assert len(gguf.GGUFReader(out).tensors) == 8
    saved = llm4tag("train", "convert", folder, "--base", base)
    path = settings().cache_dir / "adapters" / f"{sha256(folder / 'adapter.safetensors')}.gguf"
    assert saved.stdout.strip() == str(path)
    assert path.read_bytes() == out.read_bytes()
    unknown = llm4tag("train", "convert", folder)
    assert unknown.exit_code == 1
    assert "is no model that llm4tag can download; name its file as --base" in unknown.stderr
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
    assert f"give local/PATH of {base.name} as --model, or none as --adapter" in given.stderr
    environment = llm4tag(*args)
    assert environment.exit_code == 1
    assert f"{tmp_path / 'nowhere' / 'adapter.json'}: no such file" in environment.stderr
    remote = llm4tag(*args, "--adapter", folder, "--model", "openai/x")
    assert remote.exit_code == 2
    assert "serve the merged file, name it as --model and its folder as --adapter" in remote.stderr


def test_examples_of_two_stores_are_exported_and_read_back(full: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.store"
    copied = llm4tag("store", "copy", full, other)
    assert copied.exit_code == 0, copied.output
    out = tmp_path / "mixed.jsonl"
    stores = ("--store", full, "--store", other, "--form", "ids", "--form", "names")
    args = ("train", "export", out, *stores, "--chat")
    done = llm4tag(*args)
    assert done.exit_code == 0, done.output
    assert "6 contents with" in done.stderr
    found = read_examples([str(out)])
    assert {head.set: head.form for head in found.sets.values()} == {"my": "ids", "other": "names"}
    chats = [*written(tmp_path / "mixed.chat-train.jsonl"), *written(tmp_path / "mixed.chat-held_out.jsonl")]
    asked = [tag for one in (*found.train, *found.held_out) for tag in one.tags]
    assert len(chats) == len(asked) >= 6
    assert sum(chat["messages"][-1]["content"] == "Yes" for chat in chats) == sum(tag.right for tag in asked)
    again = llm4tag(*args)
    assert again.exit_code == 2
    assert f"{out}: it exists already; name another file, or replace it with --overwrite" in again.stderr
    assert llm4tag(*args, "--overwrite").exit_code == 0


def test_an_export_that_cannot_be_is_refused_before_anything_is_done(
    store: Path, full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonl"
    for args, words in (
        ((out,), "no store is given; name one with --store, or in LLM4TAG_STORE"),
        ((out, "--store", full, "--store", full), "--name: my, my for 2 stores; give each set a name of its own"),
        (
            (out, "--store", full, "--form", "other"),
            "there is no prompt form 'other'; give one of ids, generic, names",
        ),
        ((tmp_path / "out.json", "--store", full), "the name does not end in .jsonl; give one that does"),
        ((out, "--store", full, "--fewest-tags", 9), "--fewest-tags: no content has 9 tags; give a lower number"),
    ):
        done = llm4tag("train", "export", *args)
        assert done.exit_code == 2, done.output
        assert words in done.stderr
    assert not list(tmp_path.glob("out*"))


def test_training_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    done = llm4tag("train", "run", tmp_path / "data.jsonl", "--out", tmp_path / "judge")
    assert done.exit_code == 1
    assert "the package torch, which trains judges, is not installed" in done.stderr
    assert "pip install 'llm4tag[train]'" in done.stderr


def test_an_adapter_is_shrunk_into_a_folder_of_its_own(tmp_path: Path) -> None:
    base = base_file(tmp_path / "base.gguf")
    folder = adapter_folder(tmp_path / "judge", base)
    small = tmp_path / "small"
    done = llm4tag("train", "shrink", folder, "--out", small)
    assert done.exit_code == 0, done.output
    converted = llm4tag("train", "convert", small, "--base", base, "--out", tmp_path / "small.gguf")
    assert converted.exit_code == 0, converted.output
    assert len(gguf.GGUFReader(tmp_path / "small.gguf").tensors) == 8
    again = llm4tag("train", "shrink", folder, "--out", small)
    assert again.exit_code == 2
    assert "it exists already; name another folder" in again.stderr
