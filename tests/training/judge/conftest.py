"""A model of random weights that trains in seconds, in the form of the real ones."""

from pathlib import Path

import pytest

from llm4tag.training.judge.base_model import BaseFiles, LoadedBase, find_base, load_base
from tests.fakes.adapters import base_file

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a llama of two layers, its tokenizer, and next to it a tiny.gguf."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("models") / "tiny"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=special, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(["Yes No Item Tag apply \n\n"] * 50, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=CHAT)
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        initializer_range=0.1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    base_file(folder.parent / "tiny.gguf", "llama")
    return folder


@pytest.fixture
def tiny_files(tiny_model: Path, tmp_path: Path) -> BaseFiles:
    return find_base(str(tiny_model), tiny_model.parent / "tiny.gguf", tmp_path)


@pytest.fixture
def tiny(tiny_files: BaseFiles) -> LoadedBase:
    import torch

    return load_base(tiny_files, torch.device("cpu"))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Matrices so small are not worth a second thread, which on a busy machine costs far more than it gains."""
    import torch

    torch.set_num_threads(1)
