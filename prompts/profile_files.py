"""Profiles: those that come with llm4tag, by name, and users' own, by file; each lists only what it changes."""

import hashlib
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from llm4tag.schema import UsageError
from llm4tag.schema.errors import first_fault
from llm4tag.schema.profile import Profile, PromptWords, StepChoices
from llm4tag.schema.settings import DEFAULT_PROFILE

_FOLDER = "profiles"
_ENDING = ".toml"


@cache
def profile_names() -> tuple[str, ...]:
    """Return the names of the profiles that come with llm4tag."""
    found = files("llm4tag.prompts").joinpath(_FOLDER).iterdir()
    return tuple(sorted(one.name.removesuffix(_ENDING) for one in found if one.name.endswith(_ENDING)))


def read_profile(name: str) -> Profile:
    """Return a profile; words that its file leaves out are those of ``general`` in its language.

    Args:
        name: of a profile that comes with llm4tag, or the path of a TOML file.

    Raises:
        UsageError: there is no such profile, or its file cannot be used.
    """
    try:
        given = tomllib.loads(profile_source(name))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"this is no TOML file: {error}", where=name, remedy="correct it") from error
    if isinstance(words := given.get("words", {}), dict):
        given["words"] = _general_words(words.get("language")) | words
    try:
        return Profile.model_validate(given)
    except ValidationError as error:
        fault = first_fault(error)
        known = _fields_of(fault.field.split(".")[0]) if fault.kind == "extra_forbidden" else ""
        raise UsageError(fault.words, where=f"{name}: {fault.field}", remedy=f"correct it{known}") from error


def _general_words(language: object) -> dict[str, Any]:
    name = f"{DEFAULT_PROFILE}-{language}"
    source = profile_source(name if name in profile_names() else DEFAULT_PROFILE)
    words: dict[str, Any] = tomllib.loads(source)["words"]
    return words


def _fields_of(part: str) -> str:
    models: dict[str, type[BaseModel]] = {"words": PromptWords, "steps": StepChoices}
    model = models.get(part, Profile)
    return f"; there are {', '.join(model.model_fields)}"


def profile_source(name: str) -> str:
    """Return the text of a profile's file.

    Raises:
        UsageError: there is no such profile, or the file cannot be read.
    """
    if name in profile_names():
        return files("llm4tag.prompts").joinpath(_FOLDER, name + _ENDING).read_text("utf-8")
    if not name.endswith(_ENDING):
        raise UsageError(
            f"there is no profile {name!r}",
            option="profile",
            remedy=f"give one of {', '.join(profile_names())}, or the path of a {_ENDING} file",
        )
    try:
        return Path(name).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            str(error), where=name, option="profile", remedy=f"give the path of a readable {_ENDING} file"
        ) from error


def words_hash(profile: Profile) -> str:
    """Return the short hash of everything that a profile puts into prompts."""
    return hashlib.sha256(profile.words.model_dump_json().encode()).hexdigest()[:12]
