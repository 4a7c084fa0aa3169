"""How an option of tagging is declared: once, as a field of a model.

The field has the type, the default and the range, its docstring is the help text, and an ``Option`` in its
annotation adds the rest. The command line, the server and ``docs/reference/options.md`` are made from the fields,
the environment variables are the names of those in ``EnvironmentOptions``, and ``tests/test_options.py`` compares
them with the signature of ``Tagger``.

In a help text, the name of another option is in double backticks (``max_error``), so that each reader gets it as
it is written in their place. What a default of None means is said in a sentence that begins with "Default:".
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from pydantic.fields import FieldInfo

from llm4tag.schema.errors import Step

_QUOTED = re.compile(r"``([^`]+)``")


class Panel(StrEnum):
    """The group that an option is shown in, in the order in which help and documentation show them."""

    STORE = "Store"
    TAGGING = "How to tag"
    DECISIONS = "Which tags are accepted"
    LLM = "LLM"
    LLM_DETAILS = "LLM, in detail"


@dataclass(frozen=True)
class Option:
    """The parts of an option other than its type, default, range and help text.

    Args:
        panel: the group that it is shown in.
        metavar: what a value looks like; empty: the type says it.
        see: the step to take before the option is of use, or to find its values.
        command_line: whether the command line offers it.
    """

    panel: Panel
    metavar: str = ""
    see: Step | None = None
    command_line: bool = True


def option_of(field: FieldInfo) -> Option:
    """Return what a field declares in its annotation.

    Raises:
        TypeError: the field declares no option.
    """
    for one in field.metadata:
        if isinstance(one, Option):
            return one
    raise TypeError(f"not an option: {field!r}")


def help_of(field: FieldInfo, quoted: Callable[[str], str]) -> str:
    """Return the help text of a field in one line.

    Args:
        field: of a model of options.
        quoted: returns what is written in place of ``name``; receives the name of an option, or a value.
    """
    text = " ".join((field.description or "").split())
    return _QUOTED.sub(lambda found: quoted(found.group(1)), text)
