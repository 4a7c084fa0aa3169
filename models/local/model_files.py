"""Model files on disk, and their checksums, which are saved so that no large file is read at every start."""

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from llm4tag.models.local.known_models import known_model, models_folder
from llm4tag.schema import ModelError, ModelNotFoundError, ModelSetupError
from llm4tag.schema.drafts import draft_of
from llm4tag.schema.settings import LOCAL


class ModelFile(BaseModel):
    """A model file that is on this machine and verified."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    sha256: str
    lora: Path | None = None
    """GGUF file of the adapter that is loaded in addition; None: no adapter."""
    lora_sha256: str = ""
    """sha256 of the adapter's own weights, which the GGUF file was made from."""

    @property
    def served_as(self) -> str:
        """The name of a server that runs this model with exactly this adapter, or without one."""
        return f"{self.sha256}+{self.lora_sha256}" if self.lora else self.sha256


class _Checksum(BaseModel):
    """The sha256 of a file, valid as long as the file has this size and modification time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int
    mtime_ns: int
    sha256: str


def find_model(name: str, cache_dir: Path) -> ModelFile:
    """Return the file of ``local/NAME`` or ``local/PATH.gguf`` after verifying its checksum.

    Raises:
        ModelNotFoundError: the file is not on this machine, or no model is known by that name.
        ModelSetupError: the file has another sha256 than the known model.
    """
    path = _given_path(name)
    if path is not None:
        return ModelFile(path=path, sha256=file_sha256(path, cache_dir))
    model = known_model(name)
    path = models_folder(cache_dir) / model.file
    if not path.is_file():
        raise ModelNotFoundError(
            "the model is not on this machine", where=path, remedy="{pull_model}", model=model.name
        )
    if file_sha256(path, cache_dir) != model.sha256:
        raise ModelSetupError(
            "the file is damaged (its sha256 is wrong)", where=path, remedy="{pull_model} again", model=model.name
        )
    return ModelFile(path=path, sha256=model.sha256)


def model_sha256(name: str, cache_dir: Path) -> str:
    """Return the sha256 of ``local/NAME``, which need not be on this machine, or of ``local/PATH.gguf``.

    Raises:
        ModelNotFoundError: there is no such file, or no model is known by that name.
        ModelError: the file cannot be read.
    """
    path = _given_path(name)
    return known_model(name).sha256 if path is None else file_sha256(path, cache_dir)


def _given_path(name: str) -> Path | None:
    """Return the path in ``local/PATH.gguf``; None for ``local/NAME``.

    Raises:
        ModelNotFoundError: there is no such file.
    """
    bare = name.removeprefix(LOCAL)
    if not bare.endswith(".gguf"):
        return None
    path = Path(bare).expanduser().absolute()
    if not path.is_file():
        raise ModelNotFoundError("there is no such model file", where=path, remedy="check {model}")
    return path


def file_sha256(path: Path, cache_dir: Path) -> str:
    """Return the file's sha256; the saved one as long as size and modification time stay the same.

    Raises:
        ModelError: the file cannot be read, or the cache folder cannot be written.
    """
    try:
        return _saved_sha256(path, cache_dir) or _new_sha256(path, cache_dir)
    except OSError as error:
        raise ModelError(str(error), where=path, remedy=f"make it readable, and {cache_dir} writable") from error


def _saved_sha256(path: Path, cache_dir: Path) -> str | None:
    stat = path.stat()
    try:
        saved = _Checksum.model_validate_json(_checksum_path(path, cache_dir).read_bytes())
        if (saved.size, saved.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
            return saved.sha256
    except (FileNotFoundError, ValidationError):
        pass
    return None


def _new_sha256(path: Path, cache_dir: Path) -> str:
    digest = hash_file(path)
    save_checksum(path, digest, cache_dir)
    return digest


def save_checksum(path: Path, sha256: str, cache_dir: Path) -> None:
    """Save a file's sha256 in the cache folder, with the file's size and modification time.

    Raises:
        OSError: the cache folder cannot be written.
    """
    stat = path.stat()
    target = _checksum_path(path, cache_dir)
    target.parent.mkdir(parents=True, exist_ok=True)
    checksum = _Checksum(size=stat.st_size, mtime_ns=stat.st_mtime_ns, sha256=sha256)
    with draft_of(target) as draft:
        draft.write_text(checksum.model_dump_json(), "utf-8")


def hash_file(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _checksum_path(path: Path, cache_dir: Path) -> Path:
    name = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return models_folder(cache_dir) / "checksums" / f"{name}.json"
