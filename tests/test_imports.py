"""Imports run one way, in no circle, and name the project's modules as they are installed."""

import re
from pathlib import Path

from tests.fakes.import_graph import LAYERS, PACKAGE, circles, imports_of, layer_of, module_graph, source_files

FILES = source_files()


def test_the_folders_at_the_top_are_linked_into_the_package() -> None:
    for layer in LAYERS:
        link = PACKAGE / layer
        assert link.is_symlink()
        assert link.readlink() == Path("..", layer)
    assert {layer_of(module) for module in FILES} == set(range(len(LAYERS) + 1)), "links are followed"


def test_imports_run_one_way() -> None:
    """Function-level imports and modules named by strings count as well."""
    wrong = [
        f"{one.place}: {one.target}"
        for module, file in FILES.items()
        for one in imports_of(module, file)
        if one.target.split(".")[0] in {"benchmarks", "tests"}
        or (one.target.startswith("llm4tag.") and layer_of(one.target) > layer_of(module))
    ]
    assert wrong == []


def test_nothing_is_imported_by_the_bare_name_of_its_folder() -> None:
    root = PACKAGE.parent
    others = {str(file): file for folder in ("benchmarks", "tests") for file in (root / folder).rglob("*.py")}
    wrong = [
        f"{one.place}: {one.target}"
        for module, file in (FILES | others).items()
        for one in imports_of(module, file)
        if one.target.split(".")[0] in LAYERS
    ]
    assert wrong == []


def test_no_text_imports_by_the_bare_name_of_a_folder() -> None:
    """Scripts that tests run, and examples in the docs, are texts that import."""
    bare = re.compile(rf"^.*\b(?:from|import) (?:{'|'.join(LAYERS)})(?:\.\w| import\b).*$", re.MULTILINE)
    root = PACKAGE.parent
    places = ("benchmarks", "docs", "scripts", "tests", "README.md", *LAYERS)
    files = [file for place in places for file in [root / place, *(root / place).rglob("*")] if file.is_file()]
    texts = (file for file in files if file.suffix in {"", ".py", ".md"} and file != Path(__file__))
    assert [hit.strip() for file in texts for hit in bare.findall(file.read_text(encoding="utf-8"))] == []


def test_no_modules_import_each_other() -> None:
    assert circles(module_graph(FILES)) == []


def test_a_circle_is_found_wherever_it_is() -> None:
    graph: dict[str, set[str]] = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set(), "e": {"f"}, "f": {"e"}}
    assert circles(graph) == [["a", "b", "c"], ["e", "f"]]


def test_calibration_is_numbers_alone() -> None:
    """It asks nothing, and opens nothing: no prompts, models or stores."""
    others = [
        f"{one.place}: {one.target}"
        for module, file in FILES.items()
        if module.split(".")[1:2] == ["calibration"]
        for one in imports_of(module, file)
        if one.target.startswith("llm4tag.") and one.target.split(".")[1] not in {"schema", "calibration"}
    ]
    assert others == []
