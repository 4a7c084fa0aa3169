"""The model that an adapter is trained on: the very weights that are served, dequantised, or a folder of them."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm4tag.models.cost import LOCAL
from llm4tag.models.local.adapter_conversion import ARCHITECTURES
from llm4tag.models.local.known_models import MODELS
from llm4tag.models.local.model_files import file_sha256, find_model
from llm4tag.models.optional import optional_package
from llm4tag.schema import ModelError, ModelNotFoundError, ModelSetupError, UsageError
from llm4tag.schema.adapter_card import AdapterBase
from llm4tag.training.chat_examples import NO, YES

_CONFIG = "config.json"


@dataclass(frozen=True)
class BaseFiles:
    """Where a base is, and what the adapter's card is to say of it."""

    folder: Path
    gguf: str | None
    """Name of the GGUF file in the folder; None: safetensors."""
    note: AdapterBase
    licence: str


def find_base(name: str, served: Path | None, cache_dir: Path) -> BaseFiles:
    """Return the files of ``local/NAME``, of ``local/FILE.gguf``, or of a folder in Hugging Face's form.

    Args:
        name: which.
        served: for a folder, the GGUF file of the same weights that will be served: the adapter is bound to it.
        cache_dir: where pulled models are, and checksums are remembered.

    Raises:
        UsageError: neither; or a folder without the file that is served.
        ModelNotFoundError: not on this machine.
    """
    folder = Path(name).expanduser()
    if (folder / _CONFIG).is_file():
        if served is None:
            raise UsageError(
                f"--base {name}: a folder is not what llm4tag serves; name the GGUF file of these weights with "
                "--served, to which the adapter will be bound"
            )
        if not served.is_file():
            raise ModelNotFoundError(f"{served}: no such file; check --served")
        note = AdapterBase(model=folder.absolute().name, file=served.name, sha256=file_sha256(served, cache_dir))
        return BaseFiles(folder, None, note, f"that of {note.model}")
    if served is not None:
        raise UsageError(
            f"--served {served}: is for a folder with {_CONFIG}, {name} is served itself; leave it out"
        )
    if not name.startswith(LOCAL):
        raise UsageError(
            f"--base {name}: neither local/NAME, local/FILE.gguf nor a folder with {_CONFIG}; name one of these"
        )
    model = find_model(name, cache_dir)
    known = next((one for one in MODELS.values() if one.sha256 == model.sha256), None)
    note = AdapterBase(model=known.name if known else model.path.stem, file=model.path.name, sha256=model.sha256)
    return BaseFiles(model.path.parent, model.path.name, note, known.licence if known else f"that of {note.model}")


@dataclass(frozen=True)
class Base:
    """A loaded model with its tokenizer, on a device."""

    model: Any
    tokenizer: Any
    device: Any
    yes: int
    """The token of Yes."""
    no: int


def chosen_device(name: str) -> Any:
    """Return the device of that name; ``auto``: a GPU if there is one.

    Raises:
        UsageError: there is no such device here.
    """
    torch = package("torch")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name != "cpu" and not (name == "cuda" and torch.cuda.is_available()):
        raise UsageError(f"--device {name}: not here; give cpu, or leave it out")
    return torch.device(name)


def load_base(files: BaseFiles, device: Any) -> Base:
    """Load the weights: bfloat16 on a GPU, float32 on a CPU; half a minute to two for a GGUF file.

    Raises:
        ModelNotFoundError: the packages for it are not installed.
        ModelSetupError: the model cannot be trained as a judge.
    """
    torch, transformers = package("torch"), package("transformers")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    where: dict[str, Any] = {} if files.gguf is None else {"gguf_file": files.gguf}
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(files.folder, local_files_only=True, **where)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            files.folder, local_files_only=True, dtype=dtype, attn_implementation="sdpa", **where
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(
            f"{files.folder / (files.gguf or '')}: cannot be loaded to be trained ({error}); name another --base"
        ) from error
    if (found := model.config.model_type) not in ARCHITECTURES:
        raise ModelSetupError(
            f"{files.note.file}: its architecture is {found}, an adapter can be served for "
            f"{', '.join(ARCHITECTURES)}; name another --base"
        )
    if not tokenizer.chat_template:
        raise ModelSetupError(f"{files.note.file}: has no chat template; name an instruction-tuned --base")
    model.requires_grad_(False)
    model.to(device)
    return Base(model, tokenizer, device, *(_answer_token(tokenizer, word, files) for word in (YES, NO)))


def _answer_token(tokenizer: Any, word: str, files: BaseFiles) -> int:
    token = tokenizer.encode(word, add_special_tokens=False)
    if len(token) != 1:
        raise ModelSetupError(f"{files.note.file}: {word} is {len(token)} tokens, not one; name another --base")
    return int(token[0])


def package(name: str) -> Any:
    """Import one of the extra's packages.

    Raises:
        ModelNotFoundError: it is not installed.
    """
    if not sys.stderr.isatty():
        # The bars of others, such as that of dequantising; read when tqdm is imported, which PyTorch does.
        os.environ.setdefault("TQDM_DISABLE", "1")
    return optional_package(name, "judges are trained with", "train")
