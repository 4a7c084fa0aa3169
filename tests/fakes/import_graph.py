"""Which module of the project imports which, read from the source: function-level imports and links included."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "llm4tag"
_NAME = re.compile(r"[a-z_]\w*(\.[a-z_]\w*)+", re.IGNORECASE)
LAYERS = (
    "schema",
    "models",
    "prompts",
    "knowledge_store",
    "calibration",
    "tools",
    "graphs",
    "training",
)
"""The folders at the top that are linked into the package, lowest first; the face, ``llm4tag``, is above them."""


class Import(NamedTuple):
    """One import: the module that has it, its place, and the module that it names."""

    module: str
    place: str
    target: str


def source_files() -> dict[str, Path]:
    """Return the file of each module of the package by its dotted name; links are followed."""
    found = {}
    for folder in (PACKAGE, *(PACKAGE / layer for layer in LAYERS)):
        for file in folder.rglob("*.py"):
            parts = file.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def layer_of(module: str) -> int:
    """Return the rank of a module's layer; the face is above all layers."""
    parts = module.split(".")
    return LAYERS.index(parts[1]) if len(parts) > 1 and parts[1] in LAYERS else len(LAYERS)


def imports_of(module: str, file: Path) -> Iterator[Import]:
    """Yield all imports of a module, wherever in it they are, those of a module named by a string included."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        place = f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            yield from (Import(module, place, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            for name in node.names:
                yield Import(module, place, f"{node.module}.{name.name}")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _names_a_module(node.value):
            yield Import(module, place, node.value)


def _names_a_module(text: str) -> bool:
    """Say whether a string is the dotted name of a module of the project, by its full name or its folder's."""
    if not _NAME.fullmatch(text):
        return False
    parts = text.split(".")
    # monkeypatch.setattr("module.attribute", …) names what is in one.
    return any((ROOT / Path(*part)).with_suffix(".py").is_file() for part in (parts, parts[:-1]))


def module_graph(files: dict[str, Path]) -> dict[str, set[str]]:
    """Return for each module the modules of the project that it imports: the most exact name that is a file."""
    graph: dict[str, set[str]] = {module: set() for module in files}
    for module, file in files.items():
        for one in imports_of(module, file):
            target = one.target if one.target in files else one.target.rpartition(".")[0]
            if target in files and target != module:
                graph[module].add(target)
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other, directly or not (Tarjan's algorithm)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        stack.append(module)
        for target in sorted(graph[module]):
            if target not in order:
                visit(target)
                lowest[module] = min(lowest[module], lowest[target])
            elif target in stack:
                lowest[module] = min(lowest[module], order[target])
        if lowest[module] == order[module]:
            start = stack.index(module)
            group = stack[start:]
            del stack[start:]
            if len(group) > 1:
                found.append(sorted(group))

    for module in sorted(graph):
        if module not in order:
            visit(module)
    return found
