"""The API keys of a server: a file of names, scopes and hashes; a key itself is shown once and kept nowhere."""

import hashlib
import hmac
import os
import secrets
import tempfile
from enum import StrEnum
from pathlib import Path

from platformdirs import user_config_path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from llm4tag.schema import UsageError, now
from llm4tag.schema.errors import first_fault

KEYS_VARIABLE = "LLM4TAG_KEYS"
_PREFIX = "llm4tag_"


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    """See assistants, schemas and its own threads; start nothing."""
    TAG = "tag"
    """That, and tag: runs and threads of its own."""
    ADMIN = "admin"
    """Everything: all threads, assistants and crons."""


class Key(BaseModel):
    """A key as it is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9_.@-]{1,64}$")
    """Whose it is: the owner of the threads that it makes."""
    scope: Scope
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of the key. A key is 256 random bits, so that a slow hash would add nothing."""
    made: AwareDatetime


class KeyFile(BaseModel):
    """What stands in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[Key, ...] = ()


def keys_path() -> Path:
    """Return ``LLM4TAG_KEYS``, else the keys file of this user's configuration."""
    return Path(os.environ.get(KEYS_VARIABLE) or user_config_path("llm4tag") / "keys.json")


def load(path: Path) -> tuple[Key, ...]:
    """Return the keys of a file; none where there is no file.

    Raises:
        UsageError: it cannot be read, or is no keys file.
    """
    try:
        return KeyFile.model_validate_json(path.read_bytes()).keys
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); mend its permissions") from error
    except ValidationError as error:
        fault = first_fault(error)
        raise UsageError(
            f"{path}, {fault.field or 'file'}: {fault.message}; mend it, or move it away and make the keys anew"
        ) from error


def add(path: Path, name: str, scope: Scope) -> str:
    """Make a key, keep its hash, and return the key: nobody can show it again.

    Raises:
        UsageError: there is one by that name, the name cannot be one, or the file cannot be written.
    """
    known = load(path)
    if any(key.name == name for key in known):
        raise UsageError(f"{path}: there is a key {name!r}; give another name, or remove that one first")
    made = _PREFIX + secrets.token_urlsafe(32)
    try:
        key = Key(name=name, scope=scope, sha256=_hash(made), made=now())
    except ValidationError as error:
        raise UsageError(f"{name!r}: give a name of letters, digits, and . _ @ -, at most 64") from error
    _write(path, (*known, key))
    return made


def remove(path: Path, name: str) -> None:
    """Forget a key; a running server refuses it from then on.

    Raises:
        UsageError: there is none by that name, or the file cannot be written.
    """
    known = load(path)
    left = tuple(key for key in known if key.name != name)
    if len(left) == len(known):
        names = ", ".join(key.name for key in known) or "none"
        raise UsageError(f"{path}: no key {name!r}; there are {names}")
    _write(path, left)


def find(keys: tuple[Key, ...], given: str) -> Key | None:
    """Return the key that was given, None where it is nobody's."""
    digest = _hash(given)
    found = [key for key in keys if hmac.compare_digest(key.sha256, digest)]
    return found[0] if found else None


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def _write(path: Path, keys: tuple[Key, ...]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Replaced whole: a running server reads either the old or the new. mkstemp's mode is 0600.
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(KeyFile(keys=keys).model_dump_json(indent=2) + "\n")
        os.replace(beside, path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); give another with --keys") from error
