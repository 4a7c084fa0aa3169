"""An option of tagging is declared once: the command line, Python, environment, server and docs agree with it."""

import inspect
import runpy
from collections.abc import Collection
from pathlib import Path as FilePath
from typing import Any, get_args, get_origin

import pytest
import typer
from pydantic.fields import FieldInfo
from typer.main import get_command

from llm4tag.cli import app
from llm4tag.cli.error_words import in_words
from llm4tag.cli.option_groups import grouped, help_text, tagging_parameters
from llm4tag.schema import Path, Settings, UsageError
from llm4tag.schema.declaration import Option, Panel, help_of, option_of
from llm4tag.schema.options import ParentsRule, TagOptions, resolved
from llm4tag.schema.settings import EnvironmentOptions, variable_of
from llm4tag.serving.served_options import DECIDED, served_options
from llm4tag.tagger import Tagger

ROOT = FilePath(__file__).parents[1]
FIELDS = TagOptions.model_fields
COMMANDS = ("tag", "evaluate", "calibrate", "explain", "serve")
WIDER: dict[str, Any] = {
    "store": str | FilePath | None,
    "without": Collection[Path | str],
    "parents": ParentsRule | str,
}
"""Arguments of ``Tagger`` that take more than the option does, for a caller's convenience."""


def limits(field: FieldInfo) -> dict[str, float]:
    """Return the inclusive bounds of an option."""
    return {key: getattr(one, key) for one in field.metadata for key in ("ge", "le") if hasattr(one, key)}


def without_none(annotation: Any) -> Any:
    """Return the type of an option that may be None."""
    left = [one for one in get_args(annotation) if one is not type(None)]
    return left[0] if get_origin(annotation) is not frozenset and left else annotation


@pytest.mark.parametrize("name", FIELDS)
def test_every_option_has_a_panel_and_a_help_text(name: str) -> None:
    assert option_of(FIELDS[name]).panel in Panel
    text = help_of(FIELDS[name], str)
    assert text.endswith(".")
    if FIELDS[name].default is None and name not in ("store", "within"):
        known = Settings.model_fields[name].default if name in EnvironmentOptions.model_fields else None
        assert "Default: " in text or known is not None, "what does None mean?"


def test_python_spells_every_option_out() -> None:
    given = inspect.signature(Tagger).parameters
    assert set(given) == {*FIELDS, "llm"}
    for name, field in FIELDS.items():
        assert given[name].annotation == WIDER.get(name, field.annotation), name
        assert given[name].default == (() if name == "without" else field.default), name
    assert [name for name, one in given.items() if one.kind is not one.KEYWORD_ONLY] == ["store", "model"]


def test_python_passes_every_option_on() -> None:
    chosen: dict[str, Any] = {"without": ["t2t"], "store": FilePath("a.store"), "top": 7}
    assert Tagger(**chosen).options == TagOptions(without=frozenset({Path.T2T}), store="a.store", top=7)
    with pytest.raises(UsageError, match="top: input should be greater than or equal to 1"):
        Tagger(top=0)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_tags_offers_them(command: str) -> None:
    offered = {name for name, field in FIELDS.items() if option_of(field).command_line}
    shown = {one.name: one for one in get_command(app).commands[command].params}  # type: ignore[attr-defined]
    assert offered <= set(shown)
    assert {name for name in FIELDS if name not in offered} == {"watched"}
    for name in offered:
        assert shown[name].rich_help_panel == option_of(FIELDS[name]).panel.value
        assert shown[name].help == help_text(name, bound=name == "store")


def test_the_command_line_has_their_types_ranges_and_defaults() -> None:
    for parameter in tagging_parameters():
        field = FIELDS[parameter.name]
        annotation, declared = get_args(parameter.annotation)
        assert (declared.min, declared.max) == (limits(field).get("ge"), limits(field).get("le"))
        if parameter.name == "without":
            assert (annotation, parameter.default) == (list[Path] | None, None)
        else:
            assert annotation == field.annotation
            assert parameter.name == "store" or parameter.default == field.default


def test_the_command_line_makes_the_options_of_python() -> None:
    found = {}

    def explain(options: TagOptions) -> None:
        found["options"] = options

    bare = typer.Typer()
    bare.command()(grouped(explain))
    run = get_command(bare)
    run.main(["--store", "s"], standalone_mode=False)
    assert found["options"] == TagOptions(store="s")
    flags = ["--no-llm", "--no-cache", "--without", "t2t", "--without", "c2t", "--top", "3"]
    run.main(["--store", "s", *flags, "--no-cascade", "--uncalibrated"], standalone_mode=False)
    assert found["options"] == TagOptions(
        store="s",
        use_llm=False,
        answer_cache=False,
        without=frozenset({Path.T2T, Path.C2T}),
        top=3,
        cascade=False,
        uncalibrated=True,
    )


def test_the_environment_has_their_types_and_ranges() -> None:
    for name, field in EnvironmentOptions.model_fields.items():
        setting = Settings.model_fields[name]
        assert without_none(setting.annotation) == without_none(field.annotation), name
        checks = [[one for one in each.metadata if not isinstance(one, Option)] for each in (field, setting)]
        assert checks[0] == checks[1], name
        assert FIELDS[name].description == field.description


def test_an_option_beats_its_variable_which_beats_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"store": "a", "max_error": "0.1", "answer_cache": "false", "model": "openai/x"}
    for name, value in given.items():
        monkeypatch.setenv(variable_of(name), value)
    found = resolved(TagOptions(model="openai/y", max_error=0.2))
    assert (found.store, found.max_error, found.model) == ("a", 0.2, "openai/y")
    assert (found.answer_cache, found.profile) == (False, "general")


def test_the_server_shows_all_that_a_caller_may_choose() -> None:
    shown = served_options(TagOptions(top=9)).model_json_schema()["properties"]
    assert set(shown) == set(FIELDS) - set(DECIDED)
    for name, one in shown.items():
        assert one["description"] == FIELDS[name].description
        default = 9 if name == "top" else FIELDS[name].default
        assert one["default"] == ([] if default == frozenset() else default)
        numbers: dict[str, Any] = next((kind for kind in one.get("anyOf", [one]) if "minimum" in kind), {})
        assert {"ge": numbers.get("minimum"), "le": numbers.get("maximum")} == {
            key: limits(FIELDS[name]).get(key) for key in ("ge", "le")
        }


def test_the_page_of_options_is_what_is_declared() -> None:
    written = runpy.run_path(str(ROOT / "scripts" / "option-docs"))["page"]()
    page = ROOT / "docs" / "reference" / "options.md"
    assert page.read_text(encoding="utf-8") == written, "run scripts/option-docs"


def test_an_error_names_the_option_as_its_reader_writes_it() -> None:
    with pytest.raises(UsageError) as found:
        TagOptions.checked(accept_at=0.2, review_at=0.3)
    assert str(found.value).startswith("review_at: ")
    assert in_words(found.value).startswith("--review-at: ")
