"""Which model a judge is trained on; nothing is loaded here, so PyTorch is not needed."""

from pathlib import Path

import pytest

from llm4tag.schema import ModelNotFoundError, UsageError
from llm4tag.training.judge.base_model import find_base
from tests.fakes.adapters import base_file, sha256


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "small-model"
    made.mkdir()
    (made / "config.json").write_text("{}")
    return made


def test_a_gguf_file_is_trained_on_as_it_is_served(tmp_path: Path) -> None:
    file = base_file(tmp_path / "own.gguf")
    found = find_base(f"local/{file}", None, tmp_path)
    assert (found.folder, found.gguf) == (tmp_path, "own.gguf")
    assert (found.card_entry.model, found.card_entry.file, found.card_entry.sha256) == (
        "own",
        "own.gguf",
        sha256(file),
    )


def test_a_folder_is_bound_to_the_file_that_is_served(tmp_path: Path, folder: Path) -> None:
    file = base_file(tmp_path / "own.gguf")
    found = find_base(str(folder), file, tmp_path)
    assert (found.folder, found.gguf) == (folder, None)
    assert (found.card_entry.model, found.card_entry.sha256) == ("small-model", sha256(file))
    with pytest.raises(UsageError, match="name as served the GGUF file of these weights"):
        find_base(str(folder), None, tmp_path)
    with pytest.raises(ModelNotFoundError, match="there is no such file; check served"):
        find_base(str(folder), tmp_path / "other.gguf", tmp_path)
    with pytest.raises(UsageError, match=r"served: it is for a folder with config\.json"):
        find_base(f"local/{file}", file, tmp_path)


def test_what_llm4tag_does_not_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"base: it is neither local/NAME, local/FILE\.gguf nor a folder"):
        find_base("openai/gpt-4.1-mini", None, tmp_path)
    with pytest.raises(ModelNotFoundError, match="download the model"):
        find_base("local/smollm2-135m", None, tmp_path)
