"""Model files on disk, and what they hash to."""

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from llm4tag.models.local.known_models import PREFIX, known_model, models_folder
from llm4tag.schema import ModelError, ModelNotFoundError, ModelSetupError


class ModelFile(BaseModel):
    """A model file that is here, and whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    sha256: str
    lora: Path | None = None
    """GGUF file of the adapter that is loaded beside it."""
    lora_sha256: str = ""
    """Of the adapter's own weights, which that file was made from."""

    @property
    def served_as(self) -> str:
        """What its server goes by: one with an adapter is none without it, nor with another."""
        return f"{self.sha256}+{self.lora_sha256}" if self.lora else self.sha256


class _Checksum(BaseModel):
    """What a file hashed to when it had this size and modification time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int
    mtime_ns: int
    sha256: str


def find_model(name: str, cache_dir: Path) -> ModelFile:
    """Return the file of ``local/NAME`` or ``local/PATH.gguf``, its checksum verified.

    Raises:
        ModelNotFoundError: it is not on this machine, or no model is known by that name.
        ModelSetupError: it is not the file that it should be.
    """
    path = _given_path(name)
    if path is not None:
        return ModelFile(path=path, sha256=file_sha256(path, cache_dir))
    model = known_model(name)
    path = models_folder(cache_dir) / model.file
    if not path.is_file():
        raise ModelNotFoundError(
            f"{path}: the model is not on this machine; run `llm4tag model pull {model.name}`"
        )
    if file_sha256(path, cache_dir) != model.sha256:
        raise ModelSetupError(
            f"{path}: the file is damaged (its sha256 is wrong); run `llm4tag model pull {model.name}`"
        )
    return ModelFile(path=path, sha256=model.sha256)


def model_sha256(name: str, cache_dir: Path) -> str:
    """Return the sha256 of ``local/NAME``, whether it is on this machine or not, or of ``local/PATH.gguf``.

    Raises:
        ModelNotFoundError: there is no such file, or no model is known by that name.
        ModelError: the file cannot be read.
    """
    path = _given_path(name)
    return known_model(name).sha256 if path is None else file_sha256(path, cache_dir)


def _given_path(name: str) -> Path | None:
    """Return the path in ``local/PATH.gguf``, None for ``local/NAME``."""
    bare = name.removeprefix(PREFIX)
    if not bare.endswith(".gguf"):
        return None
    path = Path(bare).expanduser().absolute()
    if not path.is_file():
        raise ModelNotFoundError(f"{path}: no such model file; check --model")
    return path


def file_sha256(path: Path, cache_dir: Path) -> str:
    """Return the file's sha256, remembered while its size and modification time stay the same.

    Raises:
        ModelError: the file cannot be read, or the cache folder not be written.
    """
    try:
        return _known_sha256(path, cache_dir) or _new_sha256(path, cache_dir)
    except OSError as error:
        raise ModelError(f"{path}: {error}; make it readable, and {cache_dir} writable") from error


def _known_sha256(path: Path, cache_dir: Path) -> str | None:
    stat = path.stat()
    try:
        kept = _Checksum.model_validate_json(_note(path, cache_dir).read_bytes())
        if (kept.size, kept.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
            return kept.sha256
    except (FileNotFoundError, ValidationError):
        pass
    return None


def _new_sha256(path: Path, cache_dir: Path) -> str:
    digest = hash_file(path)
    remember_sha256(path, digest, cache_dir)
    return digest


def remember_sha256(path: Path, sha256: str, cache_dir: Path) -> None:
    """Note what a file hashes to, so that a gigabyte is not read at every start."""
    stat = path.stat()
    note = _note(path, cache_dir)
    note.parent.mkdir(parents=True, exist_ok=True)
    checksum = _Checksum(size=stat.st_size, mtime_ns=stat.st_mtime_ns, sha256=sha256)
    note.write_text(checksum.model_dump_json(), "utf-8")


def hash_file(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _note(path: Path, cache_dir: Path) -> Path:
    name = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return models_folder(cache_dir) / "checksums" / f"{name}.json"
