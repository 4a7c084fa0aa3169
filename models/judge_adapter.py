"""A fine-tuned judge's folder: ``adapter.json`` and the weights that it names, read and checked."""

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from llm4tag.models.cost import LOCAL
from llm4tag.models.local.known_models import MODELS, PREFIX
from llm4tag.models.local.model_files import file_sha256, model_sha256
from llm4tag.schema import ModelError, ModelNotFoundError, ModelSetupError, Settings, UsageError
from llm4tag.schema.adapter_card import CARD_FILE, AdapterCard, JudgeForm
from llm4tag.schema.errors import first_fault
from llm4tag.schema.settings import NO_ADAPTER, SHIPPED_ADAPTER

SHIPPED_FOLDER = Path(__file__).parent / "judges" / SHIPPED_ADAPTER
"""The judge that comes with llm4tag."""


class Adapter(BaseModel):
    """A judge that may be asked: its folder is whole, and one of its prompt forms is chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path
    card: AdapterCard
    form_name: str

    @property
    def weights(self) -> Path:
        """The safetensors file."""
        return self.folder / self.card.adapter.file

    @property
    def sha256(self) -> str:
        """Of the weights: what an answer depends on."""
        return self.card.adapter.sha256

    @property
    def merged(self) -> bool:
        """Whether the model itself has the weights in it."""
        return self.card.merged is not None

    @property
    def beside(self) -> str | None:
        """Sha256 of what is loaded beside the model to answer a question; None: the model answers alone."""
        return None if self.merged else self.sha256

    @property
    def form(self) -> JudgeForm:
        """The prompt form that it is asked with."""
        return self.card.forms[self.form_name]

    @property
    def form_hash(self) -> str:
        """Short hash of all that its prompts are made from."""
        body = self.form.model_dump_json() + self.card.limits.model_dump_json()
        return hashlib.sha256(body.encode()).hexdigest()[:12]


def read_adapter(folder: Path, cache_dir: Path, form: str | None = None) -> Adapter:
    """Return the adapter of a folder, the weights' sha256 verified; those of a merged one are in the model.

    Args:
        folder: holds ``adapter.json`` and the file that it names.
        cache_dir: where checksums are remembered.
        form: name of a prompt form; None: the card's default.

    Raises:
        ModelNotFoundError: no such folder, card or weights.
        ModelSetupError: the card cannot be used, or the weights are not the card's.
        UsageError: the card has no prompt form of that name.
    """
    # Absolute: the checksum is remembered by path.
    folder = folder.expanduser().absolute()
    card = _read_card(folder / CARD_FILE)
    adapter = Adapter(folder=folder, card=card, form_name=form or card.default_form)
    if adapter.form_name not in card.forms:
        raise UsageError(
            f"--judge-form {form}: {folder / CARD_FILE} has no such prompt form; it has {', '.join(card.forms)}"
        )
    if adapter.merged:
        return adapter
    if not adapter.weights.is_file():
        raise ModelNotFoundError(
            f"{adapter.weights}: no such file, though {CARD_FILE} names it (adapter.file); copy it there"
        )
    if (found := file_sha256(adapter.weights, cache_dir)) != card.adapter.sha256:
        raise ModelSetupError(
            f"{adapter.weights}: its sha256 is {found}, {CARD_FILE} says {card.adapter.sha256} (adapter.sha256); "
            "copy the folder anew, or write the card of these weights"
        )
    return adapter


def open_adapter(settings: Settings) -> Adapter | None:
    """Return the adapter that the settings name, once it is sure that their model is the one it was trained on.

    Where none is named it is the one that comes with llm4tag, if that is its model. What a server elsewhere runs
    under the model's name cannot be known: a merged adapter is taken for what was named.

    Raises:
        UsageError: another model, or one that cannot take an adapter.
        ModelNotFoundError, ModelSetupError: as ``read_adapter`` and ``model_sha256``.
    """
    if settings.adapter == NO_ADAPTER:
        return None
    if settings.adapter is None:
        return _shipped(settings)
    folder = SHIPPED_FOLDER if settings.adapter == SHIPPED_ADAPTER else Path(settings.adapter)
    adapter = read_adapter(folder, settings.cache_dir, settings.judge_form)
    if settings.model.startswith(LOCAL):
        _check_local(adapter, settings)
    elif not adapter.merged:
        raise UsageError(
            f"--adapter {settings.adapter}: {settings.model} is not run by llm4tag, which can load an adapter "
            "beside a local model alone; merge it into its base (`llm4tag train merge`), serve that, name it with "
            f"--model and the merged folder with --adapter, or give --adapter {NO_ADAPTER}"
        )
    return adapter


def _check_local(adapter: Adapter, settings: Settings) -> None:
    """Refuse a local model that is not the adapter's."""
    model = adapter.card.merged or adapter.card.base
    given = model_sha256(settings.model, settings.cache_dir)
    if given != model.sha256:
        known = [one.name for one in MODELS.values() if one.sha256 == model.sha256]
        right = PREFIX + (known[0] if known else f"PATH of {model.file}")
        made = "was merged into" if adapter.merged else "was trained on"
        raise UsageError(
            f"--adapter {settings.adapter}: {made} {model.file} (sha256 {model.sha256[:12]}…), "
            f"{settings.model} is another file ({given[:12]}…); give --model {right}, or --adapter {NO_ADAPTER}"
        )


def _shipped(settings: Settings) -> Adapter | None:
    """Return the adapter that comes with llm4tag where the model is the one that it was trained on."""
    if settings.model.startswith(LOCAL):
        trained_on = _read_card(SHIPPED_FOLDER / CARD_FILE).base.sha256
        if model_sha256(settings.model, settings.cache_dir) == trained_on:
            return read_adapter(SHIPPED_FOLDER, settings.cache_dir, settings.judge_form)
    if settings.judge_form is not None:
        raise UsageError(f"--judge-form {settings.judge_form}: needs --adapter; name its folder, or leave it out")
    return None


def _read_card(path: Path) -> AdapterCard:
    try:
        body = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelNotFoundError(
            f"{path}: no such file; --adapter takes a folder with {CARD_FILE} and the weights that it names"
        ) from error
    except OSError as error:
        raise ModelError(f"{path}: {error}; make it readable") from error
    try:
        return AdapterCard.model_validate_json(body)
    except ValidationError as error:
        fault = first_fault(error)
        mend = "correct it"
        if fault.kind in ("extra_forbidden", "literal_error"):
            mend = "correct it, or use the version of llm4tag that the adapter was made for"
        raise ModelSetupError(f"{path}: {fault.field or 'the whole'}: {fault.words}; {mend}") from error
