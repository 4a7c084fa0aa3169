"""Groups of options as one parameter of a command: the options of tagging, and dataclasses."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import typer
from pydantic.fields import FieldInfo

from llm4tag.cli.error_words import COMMANDS, UNKNOWN_DETAILS, CommandLine
from llm4tag.schema.declaration import Panel, help_of, option_of
from llm4tag.schema.options import TagOptions
from llm4tag.schema.settings import EnvironmentOptions, Settings, variable_of

R = TypeVar("R")
REQUIRED = ("store",)
"""Options that a command needs: Typer reads their environment variables, to see that they are given."""


def grouped(command: Callable[..., R]) -> Callable[..., R]:
    """Give a command one option for each field of its parameters that are ``TagOptions`` or dataclasses."""
    hints = get_type_hints(command, include_extras=True)
    shown: list[inspect.Parameter] = []
    members: dict[str, list[inspect.Parameter]] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        if hints[name] is TagOptions:
            members[name] = tagging_parameters()
        elif isinstance(hints[name], type) and is_dataclass(hints[name]):
            members[name] = _dataclass_parameters(hints[name])
        else:
            shown.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))
        shown += members.get(name, [])

    @functools.wraps(command)
    def wrapper(**given: Any) -> R:
        for name, group in members.items():
            values = {one.name: given.pop(one.name) for one in group}
            given[name] = _tag_options(values) if hints[name] is TagOptions else hints[name](**values)
        return command(**given)

    wrapper.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    return wrapper


def tagging_parameters() -> list[inspect.Parameter]:
    """Return a parameter for each option of tagging that the command line offers, ordered by panel."""
    panels = list(Panel)
    offered = [(name, field) for name, field in TagOptions.model_fields.items() if option_of(field).command_line]
    offered.sort(key=lambda one: panels.index(option_of(one[1]).panel))
    return [_parameter(name, field) for name, field in offered]


def help_text(name: str, *, bound: bool = False) -> str:
    """Return what the command line says of an option of tagging.

    Args:
        name: of the option.
        bound: whether Typer reads the environment variable, and so names it.
    """
    field, option = TagOptions.model_fields[name], option_of(TagOptions.model_fields[name])
    spelling = CommandLine()

    def quoted(text: str) -> str:
        return spelling.option(text) if text in TagOptions.model_fields else text

    parts = [help_of(field, quoted)]
    default = Settings.model_fields[name].default if name in EnvironmentOptions.model_fields else None
    if default is not None and not isinstance(default, bool):
        parts.append(f"Default: {default}.")
    if option.see is not None:
        parts.append(f"See `{COMMANDS[option.see].format_map(UNKNOWN_DETAILS)}`.")
    if _choices(field):
        parts.append("May be given several times.")
    if name in EnvironmentOptions.model_fields and not bound:
        parts.append(f"Or set {variable_of(name)}.")
    return " ".join(parts)


def flags(name: str) -> list[str]:
    """Return the flags of an option of tagging as Typer takes them: ``--top``, or ``--cascade/--no-cascade``."""
    field = TagOptions.model_fields[name]
    flag = CommandLine().option(name)
    if bool not in (field.annotation, *get_args(field.annotation)) or field.default is False:
        return [flag]
    positive = flag.replace("--no-", "--", 1)
    return [f"{positive}/{positive.replace('--', '--no-', 1)}"]


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    required = name in REQUIRED
    option, choices = option_of(field), _choices(field)
    annotation: Any = list[choices] | None if choices else field.annotation  # type: ignore[valid-type]
    default = None if choices else field.default
    limits = {key: getattr(one, key) for one in field.metadata for key in ("ge", "le") if hasattr(one, key)}
    declared = typer.Option(
        *flags(name),
        metavar=option.metavar or "|".join(choices or ()) or None,
        envvar=variable_of(name) if required else None,
        min=limits.get("ge"),
        max=limits.get("le"),
        help=help_text(name, bound=required),
        show_default=default is not None,
        rich_help_panel=option.panel.value,
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if required else default,
        annotation=Annotated[annotation, declared],
    )


def _choices(field: FieldInfo) -> type[StrEnum] | None:
    """Return what a field has a set of; Typer takes a list of them, which may be missing."""
    return get_args(field.annotation)[0] if get_origin(field.annotation) is frozenset else None


def _tag_options(given: dict[str, Any]) -> TagOptions:
    """Return the options of tagging that a command was given.

    Raises:
        UsageError: two of them contradict each other, or one has a wrong value.
    """
    sets = {name for name in given if _choices(TagOptions.model_fields[name])}
    return TagOptions.checked(**given | {name: frozenset(given[name] or ()) for name in sets})


def _dataclass_parameters(group: type) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if one.default is MISSING else one.default,
            annotation=hints[one.name],
        )
        for one in fields(group)
    ]
