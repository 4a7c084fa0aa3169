"""The base of an adapter: the GGUF file that is served, with dequantised weights, or a folder of that model."""

import contextlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm4tag.models.local.adapter_conversion import ARCHITECTURES
from llm4tag.models.local.known_models import MODELS
from llm4tag.models.local.model_files import file_sha256, find_model
from llm4tag.models.machine import optional_package
from llm4tag.schema import ModelError, ModelNotFoundError, ModelSetupError, UsageError
from llm4tag.schema.adapter_card import AdapterBase
from llm4tag.schema.errors import Step
from llm4tag.schema.settings import LOCAL
from llm4tag.training.chat_examples import NO, YES

_CONFIG = "config.json"


@dataclass(frozen=True)
class BaseFiles:
    """The files of a base, and its entry on the adapter's card."""

    folder: Path
    gguf: str | None
    """Name of the GGUF file in the folder; None: the folder has safetensors."""
    card_entry: AdapterBase
    licence: str


def find_base(name: str, served: Path | None, cache_dir: Path) -> BaseFiles:
    """Return the files of ``local/NAME``, of ``local/FILE.gguf``, or of a folder in Hugging Face's form.

    Args:
        name: the base.
        served: for a folder, the GGUF file of the same weights that will be served: the adapter is bound to it.
        cache_dir: the cache folder, with downloaded models and checksums.

    Raises:
        UsageError: the name is none of these, or a folder is given without the file that is served.
        ModelNotFoundError: a file is not on this machine.
    """
    folder = Path(name).expanduser()
    if (folder / _CONFIG).is_file():
        if served is None:
            raise UsageError(
                "llm4tag does not serve folders",
                where=name,
                option="base",
                remedy="name as {served} the GGUF file of these weights, to which the adapter will be bound",
            )
        if not served.is_file():
            raise ModelNotFoundError("there is no such file", where=served, remedy="check {served}")
        entry = AdapterBase(model=folder.absolute().name, file=served.name, sha256=file_sha256(served, cache_dir))
        return BaseFiles(folder, None, entry, f"that of {entry.model}")
    if served is not None:
        raise UsageError(
            f"it is for a folder with {_CONFIG}, but {name} is served itself",
            where=served,
            option="served",
            remedy="leave it out",
        )
    if not name.startswith(LOCAL):
        raise UsageError(
            f"it is neither local/NAME, local/FILE.gguf nor a folder with {_CONFIG}",
            where=name,
            option="base",
            remedy="name one of these",
        )
    model = find_model(name, cache_dir)
    known = next((one for one in MODELS.values() if one.sha256 == model.sha256), None)
    entry = AdapterBase(model=known.name if known else model.path.stem, file=model.path.name, sha256=model.sha256)
    licence = known.licence if known else f"that of {entry.model}"
    return BaseFiles(model.path.parent, model.path.name, entry, licence)


@dataclass(frozen=True)
class LoadedBase:
    """A loaded model with its tokenizer, on a device."""

    model: Any
    tokenizer: Any
    device: Any
    yes: int
    """Id of the token Yes."""
    no: int
    """Id of the token No."""


def chosen_device(name: str) -> Any:
    """Return the device of that name; ``auto`` is a GPU if there is one, else the CPU.

    Raises:
        UsageError: this machine has no such device.
    """
    torch = training_package("torch")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name != "cpu" and not (name == "cuda" and torch.cuda.is_available()):
        raise UsageError(f"there is no {name} here", option="device", remedy="give cpu, or leave it out")
    return torch.device(name)


def load_base(files: BaseFiles, device: Any) -> LoadedBase:
    """Load the weights, as bfloat16 on a GPU and as float32 on a CPU; a GGUF file takes half a minute to two.

    Raises:
        ModelNotFoundError: the packages that judges are trained with are not installed.
        ModelError: the files cannot be loaded.
        ModelSetupError: the model cannot be trained as a judge.
    """
    torch, transformers = training_package("torch"), training_package("transformers")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    where: dict[str, Any] = {} if files.gguf is None else {"gguf_file": files.gguf}
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    try:
        with _bars_for_terminals_only():
            tokenizer = transformers.AutoTokenizer.from_pretrained(files.folder, local_files_only=True, **where)
            model = transformers.AutoModelForCausalLM.from_pretrained(
                files.folder, local_files_only=True, dtype=dtype, attn_implementation="sdpa", **where
            )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(
            f"it cannot be loaded for training ({error})",
            where=files.folder / (files.gguf or ""),
            remedy="name another {base}",
        ) from error
    if (found := model.config.model_type) not in ARCHITECTURES:
        raise ModelSetupError(
            f"its architecture is {found}, adapters can be served for {', '.join(ARCHITECTURES)}",
            where=files.card_entry.file,
            remedy="name another {base}",
        )
    if not tokenizer.chat_template:
        raise ModelSetupError(
            "it has no chat template", where=files.card_entry.file, remedy="name an instruction-tuned {base}"
        )
    model.requires_grad_(False)
    model.to(device)
    return LoadedBase(model, tokenizer, device, *(_answer_token(tokenizer, word, files) for word in (YES, NO)))


def _answer_token(tokenizer: Any, word: str, files: BaseFiles) -> int:
    token = tokenizer.encode(word, add_special_tokens=False)
    if len(token) != 1:
        raise ModelSetupError(
            f"{word} is {len(token)} tokens, not one", where=files.card_entry.file, remedy="name another {base}"
        )
    return int(token[0])


def training_package(name: str) -> Any:
    """Import a package that judges are trained with.

    Raises:
        ModelNotFoundError: it is not installed.
    """
    return optional_package(name, "trains judges", Step.INSTALL_TRAIN)


@contextlib.contextmanager
def _bars_for_terminals_only() -> Iterator[None]:
    """Hide the bars of other packages where standard error is no terminal; that of dequantising has no switch."""
    with contextlib.nullcontext() if sys.stderr.isatty() else contextlib.redirect_stderr(io.StringIO()):
        yield
