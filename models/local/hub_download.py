"""The download of a model file from the hub; it resumes where an earlier try ended."""

import asyncio
import os
from pathlib import Path

import httpx

from llm4tag.models.local.known_models import KnownModel, PullProgress

DEFAULT_HUB = "https://huggingface.co"
HUB_VARIABLE = "HF_ENDPOINT"
"""The hub's own environment variable for the address of a mirror."""


class HubUnreachableError(Exception):
    """The hub cannot be reached, or does not have the file."""


async def fetch_from_hub(model: KnownModel, target: Path, progress: PullProgress) -> None:
    """Download the model's file to ``target``; bytes that are there already are not downloaded again.

    Args:
        model: the model.
        target: path of the file, which may contain the beginning of the model.
        progress: called after each block.

    Raises:
        HubUnreachableError: there is no connection, it breaks off, or the hub answers with an error.
    """
    hub = os.environ.get(HUB_VARIABLE, DEFAULT_HUB).rstrip("/")
    url = f"{hub}/{model.repository}/resolve/main/{model.file}"
    have = target.stat().st_size if target.is_file() else 0
    if have == model.size:
        return
    headers = {"Accept-Encoding": "identity"}
    if 0 < have < model.size:
        headers["Range"] = f"bytes={have}-"
    try:
        async with (
            httpx.AsyncClient(follow_redirects=True, timeout=30.0) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            response.raise_for_status()
            await _write(response, target, model, progress)
    except httpx.HTTPError as error:
        words = str(error) or type(error).__name__
        raise HubUnreachableError(f"{url}: {words.splitlines()[0]}") from error


async def _write(response: httpx.Response, target: Path, model: KnownModel, progress: PullProgress) -> None:
    resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
    with await asyncio.to_thread(target.open, "ab" if resumed else "wb") as stream:
        done = await asyncio.to_thread(stream.tell)
        async for block in response.aiter_raw():
            done += len(block)
            if done > model.size:
                break  # it is another file, and its sha256 will be refused
            await asyncio.to_thread(stream.write, block)
            progress(done, model.size)
