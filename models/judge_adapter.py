"""The folder of a fine-tuned judge: ``adapter.json`` and the weights that it names, read and checked."""

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from llm4tag.models.local.known_models import MODELS
from llm4tag.models.local.model_files import file_sha256, model_sha256
from llm4tag.schema import ModelError, ModelNotFoundError, ModelSetupError, Settings, UsageError
from llm4tag.schema.adapter_card import CARD_FILE, AdapterCard, JudgeForm
from llm4tag.schema.errors import first_fault
from llm4tag.schema.settings import LOCAL, NO_ADAPTER, SHIPPED_ADAPTER

SHIPPED_FOLDER = Path(__file__).parent / "judges" / SHIPPED_ADAPTER
"""The judge that comes with llm4tag."""


class Adapter(BaseModel):
    """A fine-tuned judge that is ready to use: its folder is complete, and one of its prompt forms is chosen."""

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
        """The sha256 of the weights, which every answer depends on."""
        return self.card.adapter.sha256

    @property
    def merged(self) -> bool:
        """Whether the weights are merged into the model itself."""
        return self.card.merged is not None

    @property
    def lora_sha256(self) -> str | None:
        """The sha256 of the weights that are loaded in addition to the model; None where they are merged."""
        return None if self.merged else self.sha256

    @property
    def form(self) -> JudgeForm:
        """The prompt form of its questions."""
        return self.card.forms[self.form_name]

    @property
    def form_hash(self) -> str:
        """Short hash of everything that its prompts are made from."""
        body = self.form.model_dump_json() + self.card.limits.model_dump_json()
        return hashlib.sha256(body.encode()).hexdigest()[:12]


def read_adapter(folder: Path, cache_dir: Path, form: str | None = None) -> Adapter:
    """Return the adapter in a folder after verifying its weights' sha256; a merged one has no weights to verify.

    Args:
        folder: contains ``adapter.json`` and the file that it names.
        cache_dir: the cache folder, where checksums are saved.
        form: name of a prompt form; None: the card's default.

    Raises:
        ModelNotFoundError: there is no such folder, card or file of weights.
        ModelSetupError: the card cannot be used, or the weights are not those that it describes.
        UsageError: the card has no prompt form of that name.
    """
    # Checksums are saved by path, so the path must be absolute.
    folder = folder.expanduser().absolute()
    card = _read_card(folder / CARD_FILE)
    adapter = Adapter(folder=folder, card=card, form_name=form or card.default_form)
    if adapter.form_name not in card.forms:
        raise UsageError(
            f"there is no prompt form {form!r}",
            where=folder / CARD_FILE,
            option="judge_form",
            remedy=f"give one of {', '.join(card.forms)}",
        )
    if adapter.merged:
        return adapter
    if not adapter.weights.is_file():
        raise ModelNotFoundError(
            f"no such file, though {CARD_FILE} names it (adapter.file)",
            where=adapter.weights,
            remedy="copy it there",
        )
    if (found := file_sha256(adapter.weights, cache_dir)) != card.adapter.sha256:
        raise ModelSetupError(
            f"its sha256 is {found}, {CARD_FILE} says {card.adapter.sha256} (adapter.sha256)",
            where=adapter.weights,
            remedy="copy the folder again, or write the card of these weights",
        )
    return adapter


def open_adapter(settings: Settings) -> Adapter | None:
    """Return the adapter that the settings name, after a check that it was trained on the settings' model.

    Where the settings name none, it is the one that comes with llm4tag, provided that the model is the one it was
    trained on. Nobody can know which file a server elsewhere runs under a model's name: there the settings are
    trusted.

    Raises:
        UsageError: the adapter was trained on another model, or the model cannot take an adapter.
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
            f"llm4tag does not run {settings.model}, and can load an adapter with a local model only",
            where=settings.adapter,
            option="adapter",
            remedy="{merge_adapter}, serve the merged file, name it as {model} and its folder as {adapter}, or "
            f"give {NO_ADAPTER} as {{adapter}}",
            adapter=settings.adapter,
        )
    return adapter


def _check_local(adapter: Adapter, settings: Settings) -> None:
    """Refuse a local model that the adapter was not trained on.

    Raises:
        UsageError: the model is another file.
    """
    model = adapter.card.merged or adapter.card.base
    given = model_sha256(settings.model, settings.cache_dir)
    if given != model.sha256:
        known = [one.name for one in MODELS.values() if one.sha256 == model.sha256]
        right = LOCAL + (known[0] if known else f"PATH of {model.file}")
        made = "was merged into" if adapter.merged else "was trained on"
        raise UsageError(
            f"it {made} {model.file} (sha256 {model.sha256[:12]}…), {settings.model} is another file "
            f"({given[:12]}…)",
            where=settings.adapter,
            option="adapter",
            remedy=f"give {right} as {{model}}, or {NO_ADAPTER} as {{adapter}}",
        )


def _shipped(settings: Settings) -> Adapter | None:
    """Return the adapter that comes with llm4tag if it was trained on the settings' model, else None.

    Raises:
        UsageError: the settings name a prompt form, which needs an adapter.
    """
    if settings.model.startswith(LOCAL):
        trained_on = _read_card(SHIPPED_FOLDER / CARD_FILE).base.sha256
        if model_sha256(settings.model, settings.cache_dir) == trained_on:
            return read_adapter(SHIPPED_FOLDER, settings.cache_dir, settings.judge_form)
    if settings.judge_form is not None:
        raise UsageError(
            "a prompt form needs an adapter",
            where=settings.judge_form,
            option="judge_form",
            remedy="name the adapter's folder as {adapter}, or leave the form out",
        )
    return None


def _read_card(path: Path) -> AdapterCard:
    try:
        body = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelNotFoundError(
            "no such file",
            where=path,
            remedy=f"give as {{adapter}} a folder with {CARD_FILE} and the weights that it names",
        ) from error
    except OSError as error:
        raise ModelError(str(error), where=path, remedy="make it readable") from error
    try:
        return AdapterCard.model_validate_json(body)
    except ValidationError as error:
        fault = first_fault(error)
        remedy = "correct it"
        if fault.kind in ("extra_forbidden", "literal_error"):
            remedy = "correct it, or use the version of llm4tag that the adapter was made for"
        where = f"{path}: {fault.field or 'the whole'}"
        raise ModelSetupError(fault.words, where=where, remedy=remedy) from error
