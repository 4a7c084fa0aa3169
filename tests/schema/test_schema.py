"""The vocabulary, and settings from arguments, environment and defaults."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from llm4tag.schema import Settings, Tag, Usage, Vocabulary, settings

VOCABULARY = Vocabulary(
    [
        Tag(id="a", name="Alpha", aliases=("first",), parents=("g",)),
        Tag(id="b", name="Beta", aliases=("second", "letter"), parents=("a", "gone")),
        Tag(id="c", name="Gamma", aliases=("letter",), parents=("b",)),
        Tag(id="d", name="Delta", parents=("g",), retired=True),
        Tag(id="g", name="Group", group=True, parents=("c",)),
    ]
)


def test_resolve_maps_only_what_is_exactly_one_tag() -> None:
    assert VOCABULARY.resolve("  ALPHA ") == "a"
    assert VOCABULARY.resolve("second") == "b"
    assert VOCABULARY.resolve("a") == "a"
    for name in ("letter", "Delta", "Group", "d", "g", "alph", ""):
        assert VOCABULARY.resolve(name) is None
    assert VOCABULARY.ambiguous == {"letter": frozenset({"b", "c"})}


def test_within_follows_parents_at_any_depth_and_survives_cycles() -> None:
    assert VOCABULARY.within("g") == {"a", "b", "c"}
    assert VOCABULARY.within("gone") == {"b", "c", "a"}, "an unknown parent stays a parent"
    with pytest.raises(KeyError):
        VOCABULARY.within("nobody")


def test_version_changes_with_any_tag() -> None:
    tags = list(VOCABULARY.values())
    assert Vocabulary(reversed(tags)).version == VOCABULARY.version
    changed = [tags[0].model_copy(update={"description": "new"}), *tags[1:]]
    assert Vocabulary(changed).version != VOCABULARY.version


def test_blank_names_are_refused() -> None:
    with pytest.raises(ValidationError):
        Tag(id="a", name="  ")


def test_explicit_beats_environment_beats_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert settings().model == Settings.model_fields["model"].default
    monkeypatch.setenv("LLM4TAG_MODEL", "from-environment")
    monkeypatch.setenv("LLM4TAG_CACHE_DIR", str(tmp_path))
    assert settings().model == "from-environment"
    assert settings().cache_dir == tmp_path
    default = Settings.model_fields["model"].default
    assert settings(model=default).model == default, "an explicit default still beats the environment"
    assert settings(model="given", api_base=None).model == "given"


def test_keys_are_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM4TAG_API_KEY", "sk-very-secret")
    assert "very-secret" not in repr(settings())


def test_usage_adds_up_and_an_unknown_cost_stays_unknown() -> None:
    known, unknown = Usage(llm_calls=1, cost=0.5), Usage(llm_calls=1, cost=None)
    assert (known + known).cost == 1.0
    assert (known + unknown).cost is None
    assert (Usage() + known).cost == 0.5
