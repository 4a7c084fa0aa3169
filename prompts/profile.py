"""Profiles: those that come with llm4tag, by name, and users' own, by file."""

import hashlib
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from llm4tag.schema import UsageError
from llm4tag.schema.errors import first_fault
from llm4tag.schema.profile import Profile

_FOLDER = "profiles"
_ENDING = ".toml"


@cache
def profile_names() -> tuple[str, ...]:
    """Return the names of the profiles that come with llm4tag."""
    found = files("llm4tag.prompts").joinpath(_FOLDER).iterdir()
    return tuple(sorted(one.name.removesuffix(_ENDING) for one in found if one.name.endswith(_ENDING)))


def read_profile(name: str) -> Profile:
    """Return a profile.

    Args:
        name: of one that comes with llm4tag, or the path of a TOML file.

    Raises:
        UsageError: no such profile, or one that cannot be used: says the field and the mend.
    """
    body = profile_source(name)
    try:
        return Profile.model_validate(tomllib.loads(body))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name}: is no TOML file: {error}; correct it") from error
    except ValidationError as error:
        fault = first_fault(error)
        known = (
            ""
            if fault.kind != "extra_forbidden"
            else "; `llm4tag profiles show general` prints one with all fields"
        )
        raise UsageError(f"{name}: {fault.field}: {fault.words}; correct it{known}") from error


def profile_source(name: str) -> str:
    """Return the text of a profile's file.

    Raises:
        UsageError: there is no such profile, or the file cannot be read.
    """
    if name in profile_names():
        return files("llm4tag.prompts").joinpath(_FOLDER, name + _ENDING).read_text("utf-8")
    if not name.endswith(_ENDING):
        raise UsageError(
            f"--profile {name}: no such profile; there are {', '.join(profile_names())}, or give the path of a "
            f"{_ENDING} file"
        )
    try:
        return Path(name).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--profile {name}: {error}; give the path of a readable {_ENDING} file") from error


def words_hash(profile: Profile) -> str:
    """Return the short hash of all that a profile puts into prompts."""
    return hashlib.sha256(profile.words.model_dump_json().encode()).hexdigest()[:12]
