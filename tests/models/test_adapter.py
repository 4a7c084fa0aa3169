"""A fine-tuned judge's folder, its conversion, and where it is refused."""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from llm4tag.models.judge_adapter import SHIPPED_FOLDER, open_adapter, read_adapter
from llm4tag.models.language_model import Message, Question
from llm4tag.models.litellm_chat import LiteLLMChat
from llm4tag.models.local.adapter_conversion import check_base, convert, converted_path, tensor_count, with_adapter
from llm4tag.models.local.adapter_weights import matrix, matrix_names, open_weights, shrink
from llm4tag.models.local.model_files import ModelFile
from llm4tag.models.local.server_process import running_server, state_path
from llm4tag.schema import Llm4tagError, ModelSetupError, Settings, UsageError, settings
from tests.fakes.adapters import FORM, GENERIC, adapter_folder, base_file, sha256, tensors
from tests.fakes.openai_server import FakeOpenAI

QUESTION = Question(messages=(Message(role="user", content="Is it?"),), max_tokens=1, top_logprobs=20)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return base_file(tmp_path / "base.gguf")


@pytest.fixture
def folder(tmp_path: Path, base: Path) -> Path:
    return adapter_folder(tmp_path / "judge", base)


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
def test_conversion_keeps_every_matrix_under_its_new_name(tmp_path: Path, architecture: str) -> None:
    base = base_file(tmp_path / "base.gguf", architecture)
    adapter = read_adapter(adapter_folder(tmp_path / "judge", base), tmp_path)
    counted: list[int] = []
    convert(adapter, base, tmp_path / "out" / "judge.gguf", counted.append)
    read = gguf.GGUFReader(tmp_path / "out" / "judge.gguf")
    said = {name: one.contents() for name, one in read.fields.items() if not name.startswith("GGUF.")}
    assert said == {
        "general.architecture": architecture,
        "general.type": "adapter",
        "general.name": "judge-test",
        "adapter.type": "lora",
        "adapter.lora.alpha": 4.0,
    }
    found = {one.name: one for one in read.tensors}
    assert sum(counted) == len(found) == 8
    assert {one.tensor_type for one in found.values()} == {gguf.GGMLQuantizationType.F16}
    source = tensors()
    down = source["model.layers.1.mlp.down_proj.lora_B.default.weight"]
    np.testing.assert_array_equal(found["blk.1.ffn_down.weight.lora_b"].data, down)
    first, second = (source[f"model.layers.0.self_attn.q_proj.lora_{side}.default.weight"] for side in "AB")
    np.testing.assert_array_equal(found["blk.0.attn_q.weight.lora_a"].data, first)
    # Two heads of four rows: llama's have their halves interleaved.
    order = [0, 2, 1, 3, 4, 6, 5, 7] if architecture == "llama" else list(range(8))
    np.testing.assert_array_equal(found["blk.0.attn_q.weight.lora_b"].data, second[order])
    assert not list((tmp_path / "out").glob("*.partial"))


@pytest.mark.parametrize(
    ("names", "architecture", "words"),
    [
        (("self_attn.qkv_proj",), "qwen2", "qkv_proj.lora_A.default.weight' is no LoRA matrix of a projection"),
        (("self_attn.q_proj",), "gemma3", "adapters for gemma3 cannot be converted"),
    ],
)
def test_what_cannot_be_converted_leaves_nothing(
    tmp_path: Path, names: tuple[str, ...], architecture: str, words: str
) -> None:
    base = base_file(tmp_path / "base.gguf", architecture)
    adapter = read_adapter(adapter_folder(tmp_path / "judge", base, tensors(names)), tmp_path)
    with pytest.raises(ModelSetupError, match=words):
        convert(adapter, base, tmp_path / "out" / "judge.gguf")
    assert not list((tmp_path / "out").glob("*"))


def test_half_a_pair_and_a_wrong_rank_are_reported(tmp_path: Path, base: Path) -> None:
    half = {name: one for name, one in tensors().items() if "layers.1.mlp.down_proj.lora_B" not in name}
    adapter = read_adapter(adapter_folder(tmp_path / "half", base, half), tmp_path)
    with pytest.raises(ModelSetupError, match=r"blk\.1\.ffn_down\.weight has one LoRA matrix of two"):
        convert(adapter, base, tmp_path / "x.gguf")
    wide = {name: np.vstack([one, one]) if "lora_A" in name else one for name, one in tensors().items()}
    adapter = read_adapter(adapter_folder(tmp_path / "wide", base, wide), tmp_path)
    with pytest.raises(ModelSetupError, match=r"has the shape \(4, 8\), the card's adapter\.rank is 2"):
        convert(adapter, base, tmp_path / "x.gguf")


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({"kind": "listwise"}, r"adapter\.json: kind: .*version of llm4tag that the adapter was made for"),
        ({"chat": 1}, r"adapter\.json: chat: extra inputs"),
        ({"limits": {"text": 0, "description": 1}}, r"adapter\.json: limits\.text: input should be greater"),
        ({"prompt": FORM | {"tag": "{name.__class__}"}}, r"prompt\.tag: unknown slot \{name\.__class__\}; known"),
        ({"prompt": FORM | {"content": "{text"}}, r"prompt\.content: expected '}'"),
        ({"forms_that_travelled": {"prompt": GENERIC}}, "'prompt' is the trained form's name"),
        ({"default_form": "job"}, "default_form: no form 'job'; there are prompt, generic"),
    ],
)
def test_cards_that_cannot_be_used_name_field_and_remedy(
    tmp_path: Path, base: Path, card: dict[str, Any], words: str
) -> None:
    with pytest.raises(ModelSetupError, match=words):
        read_adapter(adapter_folder(tmp_path / "judge", base, **card), tmp_path)


def test_folders_that_are_not_complete_are_reported(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"judge_form: there is no prompt form 'job'; give one of prompt, generic"
    ):
        read_adapter(folder, tmp_path, "job")
    weights = folder / "adapter.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    with pytest.raises(ModelSetupError, match=r"its sha256 is \w{64}, adapter\.json says .*adapter\.sha256"):
        read_adapter(folder, tmp_path)
    weights.unlink()
    with pytest.raises(Llm4tagError, match=r"no such file, though adapter\.json names it \(adapter\.file\)"):
        read_adapter(folder, tmp_path)
    with pytest.raises(Llm4tagError, match=r"give as adapter a folder with adapter\.json"):
        read_adapter(tmp_path / "nowhere", tmp_path)


def test_other_models_than_the_base_are_refused(folder: Path, base: Path) -> None:
    def chosen(**given: Any) -> Settings:
        return settings(**{"model": f"local/{base}", "adapter": str(folder), **given})

    adapter = open_adapter(chosen(judge_form="generic"))
    assert adapter is not None
    assert adapter.form.content == GENERIC["content"]
    with pytest.raises(
        UsageError, match=r"was trained on base\.gguf .* local/qwen2\.5-coder-0\.5b is another file"
    ):
        open_adapter(chosen(model="local/qwen2.5-coder-0.5b"))
    with pytest.raises(UsageError, match=r"llm4tag does not run openai/gpt.*merge the adapter into its base"):
        open_adapter(chosen(model="openai/gpt"))
    assert open_adapter(chosen(model="openai/gpt", adapter="none")) is None
    with pytest.raises(UsageError, match="generic: judge_form: a prompt form needs an adapter"):
        open_adapter(chosen(adapter=None, judge_form="generic"))


def test_the_shipped_judge_is_used_where_its_base_is_the_model(base: Path, tmp_path: Path) -> None:
    # The model need not be here: its name says what its file hashes to.
    shipped = open_adapter(settings(model="local/qwen2.5-coder-1.5b", cache_dir=tmp_path))
    assert shipped is not None
    assert (shipped.card.name, shipped.form_name) == ("general", "general")
    assert open_adapter(settings(adapter="general", cache_dir=tmp_path)) == shipped
    trained = open_adapter(settings(judge_form="prompt", cache_dir=tmp_path))
    assert trained is not None
    assert "{id}" in trained.form.tag
    assert "{id}" not in shipped.form.tag
    assert open_adapter(settings(adapter="none", cache_dir=tmp_path)) is None
    assert open_adapter(settings(model=f"local/{base}", cache_dir=tmp_path)) is None
    assert open_adapter(settings(model="openai/gpt", cache_dir=tmp_path)) is None


def test_the_shipped_judge_is_complete(tmp_path: Path) -> None:
    adapter = read_adapter(SHIPPED_FOLDER, tmp_path)
    assert tensor_count(adapter) == 392
    assert adapter.weights.stat().st_size < 20e6
    assert (SHIPPED_FOLDER / "CARD.md").is_file()


def test_bytes_with_a_scale_keep_the_matrices(folder: Path, base: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.safetensors"
    shrink(folder / "adapter.safetensors", small)
    with open_weights(small) as tensors_of:
        names = matrix_names(tensors_of)
        assert names == sorted(tensors())
        for name in names:
            assert tensors_of.get_tensor(name).dtype == np.int8
            shrunk, given = matrix(tensors_of, name, small), tensors()[name]
            # Half a step of the direction with the largest numbers.
            assert np.abs(shrunk - given).max() <= np.abs(given).max() / 127 / 2 + 1e-6
    alone = {name: np.zeros((2, 8), dtype=np.int8) for name in tensors() if "lora_A" in name}
    adapter = read_adapter(adapter_folder(tmp_path / "lone", base, alone), tmp_path)
    with pytest.raises(ModelSetupError, match=r"tensor .*scale.*shrink the adapter again"):
        convert(adapter, base, tmp_path / "x.gguf")


def test_explicit_beats_environment_beats_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings().adapter is None
    monkeypatch.setenv("LLM4TAG_ADAPTER", "from-the-environment")
    assert settings().adapter == "from-the-environment"
    assert settings(adapter="given").adapter == "given"


def test_only_the_keys_of_judgements_depend_on_the_adapter() -> None:
    # The key of a version without adapters, whose answers are still found.
    assert QUESTION.key("local@sha256:00") == "270da0e4b7550d54876f4fe9c21e77f322a77dcd2aa012fc29bdb441f7a9e479"
    keys = {QUESTION.model_copy(update={"adapter": one}).key("x") for one in (None, "a", "b")}
    assert len(keys) == 3


async def test_each_request_says_whether_the_adapter_answers(fake: FakeOpenAI) -> None:
    def chat(adapter: str | None) -> LiteLLMChat:
        return LiteLLMChat(
            *("openai/local",),
            api_base=fake.api_base,
            api_key=None,
            timeout=5.0,
            max_attempts=1,
            local_name="local/x",
            adapter=adapter,
        )

    judged = QUESTION.model_copy(update={"adapter": "a"})
    with_adapter, without = chat("a"), chat(None)
    for model, sent in ((with_adapter, judged), (with_adapter, QUESTION), (without, QUESTION)):
        await model.ask(sent)
    assert [request.get("lora") for request in fake.chat_requests] == [
        [{"id": 0, "scale": 1.0}],
        [{"id": 0, "scale": 0.0}],
        None,
    ]
    for other in (without, chat("b")):
        with pytest.raises(
            ModelSetupError, match="the model has no adapter a; name the adapter's folder as adapter"
        ):
            await other.ask(judged)
    assert len(fake.chat_requests) == 3


def test_a_server_is_identified_by_its_adapter_too(folder: Path, base: Path, tmp_path: Path) -> None:
    bare = ModelFile(path=base, sha256=sha256(base))
    adapter = read_adapter(folder, tmp_path)
    tuned = with_adapter(bare, adapter, tmp_path)
    assert tuned.lora == converted_path(adapter, tmp_path)
    assert with_adapter(bare, None, tmp_path) == bare
    written = tuned.lora.stat().st_mtime_ns
    other = with_adapter(bare, adapter.model_copy(update={"form_name": "generic"}), tmp_path)
    assert (other, tuned.lora.stat().st_mtime_ns) == (tuned, written), "converted once"
    assert state_path(tmp_path, tuned.served_as) != state_path(tmp_path, bare.served_as)
    assert running_server(tmp_path, tuned.served_as) is None
    with pytest.raises(ModelSetupError, match="the adapter was trained on"):
        check_base(adapter, folder / "adapter.json", tmp_path)
    assert json.loads((folder / "adapter.json").read_text())["base"]["sha256"] == bare.sha256
