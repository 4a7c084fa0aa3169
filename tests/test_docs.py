"""The pages that people read: their links, commands, flags and paths exist, and the reference is whole."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    + list((ROOT / "docs").rglob("*.md"))
)
KINDS = ("tutorials", "how-to", "reference", "explanation")
FOLDERS = "|".join(
    sorted(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))
)
PATH = re.compile(rf"`((?:\.ci|{FOLDERS})/[\w./-]*)`")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)

page = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def prose(text: str) -> str:
    """Return a page without its blocks of code."""
    return FENCE.sub("", text)


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?)\s*$", prose(path.read_text(encoding="utf-8")), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = 0
        unique = slug
        while unique in found:
            number += 1
            unique = f"{slug}-{number}"
        found.add(unique)
    return found


def resolves(page: Path, target: str) -> bool:
    """Return whether a relative link leads to a file of the project, and its anchor to a heading there."""
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    return file.is_relative_to(ROOT) and file.exists() and (not anchor or anchor in anchors(file))


@cache
def commands() -> dict[str, frozenset[str]]:
    """Return the flags of each command by its words, without ``llm4tag``; groups have their subcommands' names."""
    from typer.main import get_command

    from llm4tag.cli import app

    found: dict[str, frozenset[str]] = {}

    def walk(command: object, words: tuple[str, ...]) -> None:
        inner = getattr(command, "commands", {})
        flags = (name for one in command.params for name in (*one.opts, *one.secondary_opts))  # type: ignore[attr-defined]
        found[" ".join(words)] = frozenset(flags)
        for name, one in inner.items():
            walk(one, (*words, name))

    walk(get_command(app), ())
    return found


def command_lines(text: str) -> Iterator[str]:
    """Return what follows ``llm4tag`` in each command of a page: lines of shell blocks, and code in the text."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = (line for block in blocks for line in block.replace("\\\n", " ").splitlines())
    for line in lines:
        if match := re.match(r"(?:.*&& |.*\| )?(?:uv run [^|]*?)?llm4tag (?!\|)(.*)", line):
            yield match.group(1).split("  #")[0]
    for inline in re.findall(r"`([^`]+)`", prose(text)):
        if inline.startswith("llm4tag "):
            yield inline.removeprefix("llm4tag ").replace("\n", " ")


def command_of(line: str) -> str | None:
    """Return the longest command that a line begins with."""
    words = line.split()
    names = [" ".join(words[:count]) for count in (2, 1)]
    return next((name for name in names if name in commands()), None)


@page
def test_links_and_anchors_exist(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text(encoding="utf-8")))
    wrong = [target for target in targets if not re.match(r"[a-z]+:", target) and not resolves(page, target)]
    assert wrong == []


@page
def test_commands_and_flags_exist(page: Path) -> None:
    wrong = []
    for line in command_lines(page.read_text(encoding="utf-8")):
        name = command_of(line)
        if name is None:
            if not re.match(r"(COMMAND|…)|--", line):
                wrong.append(line)
            continue
        flags = re.findall(r"(?<=\s)(--[a-z][a-z-]*|-[a-z])(?=[\s=]|$)", line)
        wrong += [f"{name}: {flag}" for flag in flags if flag not in commands()[name]]
    assert wrong == []


@page
def test_flags_named_in_the_text_exist(page: Path) -> None:
    benchmarks = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").rglob("*.py"))
    known = frozenset({"--help"}).union(*commands().values(), re.findall(r"--[a-z][a-z-]*", benchmarks))
    named = set(re.findall(r"`(--[a-z][a-z-]*)[^`]*`", prose(page.read_text(encoding="utf-8"))))
    former = {"--verbal", "--recipe"} if page.name == "CHANGELOG.md" else set()
    assert named - known - former == set()


@page
def test_benchmarks_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"benchmarks[./]([a-z_]+)", text)) - {"py"}
    for name in named:
        folder = ROOT / "benchmarks" / name
        assert folder.with_suffix(".py").is_file() or (folder / "__init__.py").is_file(), name


@page
def test_paths_exist(page: Path) -> None:
    text = prose(page.read_text(encoding="utf-8"))
    missing = {path for path in PATH.findall(text) if not (ROOT / path).exists()}
    assert missing == set()


@page
def test_files_of_the_demo_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"llm4tag/demo_data/[\w.]*\w", text))
    assert {path for path in named if not (ROOT / path).exists()} == set()


@page
def test_no_path_of_one_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"/(work|home|root|tmp)/|\.\./shared", text)


def test_every_page_is_linked_from_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([^)#]+)", index))
    pages = {
        str(path.relative_to(ROOT / "docs")) for kind in KINDS for path in (ROOT / "docs" / kind).glob("*.md")
    }
    assert pages <= linked
    assert {path.name for path in (ROOT / "docs").iterdir()} == {*KINDS, "images", "README.md"}


def test_reference_lists_every_command() -> None:
    text = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    listed = {command_of(line) for line in re.findall(r"^\| `llm4tag ([^`]+)`", text, re.MULTILINE)}
    known = set(commands())
    groups = {name.rsplit(" ", 1)[0] for name in known if " " in name}
    assert listed == known - groups - {""}


def test_reference_names_every_field_of_a_result() -> None:
    from llm4tag.schema import Signals, TagDecision, TagResult, Usage
    from llm4tag.schema.result import Origin

    text = (ROOT / "docs" / "reference" / "result-line.md").read_text(encoding="utf-8")
    fields = [name for model in (TagResult, TagDecision, Signals, Usage, Origin) for name in model.model_fields]
    assert [name for name in fields if f"`{name}`" not in text] == []


def test_code_names_pages_that_exist() -> None:
    from tests.fakes.import_graph import source_files

    others = (ROOT / "pyproject.toml", ROOT / "compose.yaml", *(ROOT / "benchmarks").rglob("*.py"))
    files = [*source_files().values(), *others]
    named = {(file, path) for file in files for path in re.findall(r"docs/[\w/-]+\.md", file.read_text("utf-8"))}
    assert {(str(file), path) for file, path in named if not (ROOT / path).exists()} == set()


def test_each_term_of_the_glossary_is_defined_once() -> None:
    text = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    glossary = text.split("## Glossary", 1)[1]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", glossary, re.MULTILINE)
    terms = [term.strip() for row, _ in rows for term in row.split(",") if row not in ("term", "---")]
    assert len(terms) == len(set(terms)) >= 25
    assert all(meaning.endswith(".") for row, meaning in rows if row not in ("term", "---"))
