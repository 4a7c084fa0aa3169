"""The README's Python example, run as it is."""

import re
from pathlib import Path

import pytest

from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import Assignment, Tag, TaggedContent

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


async def test_five_line_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    async with await open_store("news.llm4tag", embedding="none", create=True) as store:
        await store.upsert_tags([Tag(id="mail", name="Email"), Tag(id="game", name="Games")])
        history = TaggedContent(id="1", text="reads mail in the terminal", assignments=(Assignment(tag="mail"),))
        await store.upsert_contents([history])
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(example.strip().splitlines()) <= 6
    exec(compile(example, "README.md", "exec"), {})
    assert re.search(r"0\.\d\d  \w+ +Email", capsys.readouterr().out)


def test_commands_of_the_readme_exist() -> None:
    from typer.main import get_command

    from llm4tag.cli import app

    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    blocks = "".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
    named = set(re.findall(r"^(?:.*&& uv run --extra local )?llm4tag (\w+)", blocks, re.MULTILINE))
    assert named >= {"ingest", "tag", "evaluate", "explain", "accept", "demo"}
    assert named <= known


def test_test_command_is_the_one_that_ci_runs() -> None:
    command = "uv run --all-extras --no-extra train pytest"
    assert f"```sh\n{command}\n```" in README
    ci = (Path(__file__).parents[1] / ".ci" / "run").read_text(encoding="utf-8")
    assert f"\n{command}\n" in ci
    assert "`scripts/test-training`" in README
    assert "\nscripts/test-training\n" in ci
