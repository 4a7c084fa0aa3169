"""Below the command line no message names a flag, a command or an extra; remedies name what exists."""

import ast
import re
from collections.abc import Iterator

from llm4tag.cli.error_words import FLAGS
from llm4tag.schema.errors import Step
from llm4tag.schema.options import TagOptions
from llm4tag.schema.settings import Settings
from tests.fakes.import_graph import ROOT, source_files

COMMANDS = "accept|calibrate|demo|evaluate|explain|ingest|keys|model|profiles|report|serve|store|tag|train"
_FLAG_OR_COMMAND = re.compile(rf"(?<![\w-])--[a-z]|`llm4tag (?:{COMMANDS})\b|pip install|llm4tag\[")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
OTHER_PROGRAMS = {
    "llm4tag.models.local.server",
    "llm4tag.models.local.server_process",
    "llm4tag.models.local.package_download",
}
"""Modules that start other programs, or are one: their flags are not ours."""


def texts_below_the_command_line() -> Iterator[tuple[str, str]]:
    """Yield place and text of each string, docstrings included, of every module below the command line."""
    for module, file in source_files().items():
        if module.startswith(("llm4tag.cli", "llm4tag.__main__")) or module in OTHER_PROGRAMS:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{file.relative_to(ROOT)}:{node.lineno}", node.value


def remedies() -> Iterator[tuple[str, str]]:
    """Yield place and literal text of each ``remedy=`` that is passed anywhere, without the values put into it."""
    for file in source_files().values():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "remedy":
                yield f"{file.relative_to(ROOT)}:{node.value.lineno}", "".join(_literals(node.value))


def _literals(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif not isinstance(node, ast.FormattedValue):
        for child in ast.iter_child_nodes(node):
            yield from _literals(child)


def test_no_text_below_the_command_line_names_a_flag_a_command_or_an_extra() -> None:
    found = [
        f"{place}: {hit.group()}"
        for place, text in texts_below_the_command_line()
        if (hit := _FLAG_OR_COMMAND.search(text))
    ]
    assert found == []


def test_remedies_name_options_and_steps_that_exist() -> None:
    steps = {step.name.lower() for step in Step}
    known = (
        steps | TagOptions.model_fields.keys() | Settings.model_fields.keys() | FLAGS.keys() | command_options()
    )
    wrong = [
        f"{place}: {name}"
        for place, source in remedies()
        for name in _PLACEHOLDER.findall(source)
        if name not in known
    ]
    assert wrong == []


def command_options() -> set[str]:
    """Return the names of all parameters of all commands."""
    from typer.main import get_command

    from llm4tag.cli import app

    found: set[str] = set()
    waiting = [get_command(app)]
    while waiting:
        command = waiting.pop()
        for parameter in command.params:
            found |= {str(parameter.name), *(flag.removeprefix("--") for flag in parameter.opts)}
        waiting += getattr(command, "commands", {}).values()
    return found
