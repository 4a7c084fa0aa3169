"""``llm4tag profiles``, and ``--profile`` on the command line."""

from pathlib import Path

from tests.fakes.command_line import llm4tag


def test_profiles_are_listed_shown_and_copied(tmp_path: Path) -> None:
    listed = llm4tag("profiles", "list")
    assert listed.exit_code == 0
    assert "news-zh" in listed.stdout
    assert "Search queries" in listed.stdout
    shown = llm4tag("profiles", "show", "news")
    mine = tmp_path / "mine.toml"
    mine.write_text(shown.stdout, "utf-8")
    assert llm4tag("profiles", "show", mine).stdout == shown.stdout
    mine.write_text(shown.stdout.replace("[words]", "[word]"), "utf-8")
    refused = llm4tag("profiles", "show", mine)
    assert refused.exit_code == 2
    assert f"{mine}: word" in refused.stderr.replace("\n", "")
