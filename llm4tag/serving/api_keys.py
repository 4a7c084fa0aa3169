"""The API keys of a server: a file of names, scopes and hashes; a key itself is shown once and saved nowhere."""

import hashlib
import hmac
import os
import secrets
from enum import StrEnum
from pathlib import Path

from platformdirs import user_config_path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from llm4tag.schema import UsageError, now
from llm4tag.schema.drafts import draft_of
from llm4tag.schema.errors import first_fault
from llm4tag.schema.text import without_surrogates

KEYS_VARIABLE = "LLM4TAG_KEYS"
_PREFIX = "llm4tag_"


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    """See assistants, schemas and its own threads; start nothing."""
    TAG = "tag"
    """The same, and tag: start runs and make threads of its own."""
    ADMIN = "admin"
    """Everything: all threads, assistants and crons."""


class Key(BaseModel):
    """A key as the file has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9_.@-]{1,64}$")
    """Name of the owner, to whom the threads belong that are made with the key."""
    scope: Scope
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Hash of the key. A key has 256 random bits, so a slow hash would add nothing."""
    made: AwareDatetime


class KeyFile(BaseModel):
    """The content of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[Key, ...] = ()


def keys_path() -> Path:
    """Return ``LLM4TAG_KEYS``, else the keys file of this user's configuration."""
    return Path(os.environ.get(KEYS_VARIABLE) or user_config_path("llm4tag") / "keys.json")


def load(path: Path) -> tuple[Key, ...]:
    """Return the keys of a file; none where there is no file.

    Raises:
        UsageError: the file cannot be read, or is not a file of keys.
    """
    try:
        return KeyFile.model_validate_json(path.read_bytes()).keys
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise UsageError(
            f"cannot be read ({error.strerror})", where=path, remedy="correct its permissions"
        ) from error
    except ValidationError as error:
        fault = first_fault(error)
        raise UsageError(
            fault.words,
            where=f"{path}, {fault.field or 'file'}",
            remedy="correct it, or move it away and make the keys again",
        ) from error


def add(path: Path, name: str, scope: Scope) -> str:
    """Make a key, save its hash, and return the key, which cannot be shown again.

    Raises:
        UsageError: the name has a key already or is not allowed, or the file cannot be written.
    """
    known = load(path)
    if any(key.name == name for key in known):
        raise UsageError(
            f"there is a key {name!r} already", where=path, remedy="give another name, or remove that key first"
        )
    made = _PREFIX + secrets.token_urlsafe(32)
    try:
        key = Key(name=name, scope=scope, sha256=_hash(made), made=now())
    except ValidationError as error:
        raise UsageError(
            "is not a name", where=repr(name), remedy="give at most 64 letters, digits, and . _ @ -"
        ) from error
    _write(path, (*known, key))
    return made


def remove(path: Path, name: str) -> None:
    """Remove a key; a running server refuses it from then on.

    Raises:
        UsageError: the name has no key, or the file cannot be written.
    """
    known = load(path)
    left = tuple(key for key in known if key.name != name)
    if len(left) == len(known):
        names = ", ".join(key.name for key in known) or "none"
        raise UsageError(f"no key {name!r}", where=path, remedy=f"there are {names}")
    _write(path, left)


def find(keys: tuple[Key, ...], given: str) -> Key | None:
    """Return the entry of a key that was sent; None: there is none."""
    digest = _hash(given)
    found = [key for key in keys if hmac.compare_digest(key.sha256, digest)]
    return found[0] if found else None


def _hash(key: str) -> str:
    return hashlib.sha256(without_surrogates(key).encode()).hexdigest()


def _write(path: Path, keys: tuple[Key, ...]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A running server reads either the old file or the new one.
        with draft_of(path) as draft:
            draft.touch(mode=0o600)
            draft.write_text(KeyFile(keys=keys).model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot be written ({error.strerror})", where=path, remedy="give another with {keys}"
        ) from error
