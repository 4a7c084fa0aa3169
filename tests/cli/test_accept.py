"""The command ``accept``: accepted tags of results are written to a store."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from llm4tag.knowledge_store.ingest.contents import text_id
from llm4tag.schema import Assignment, CalibrationNote, Decision, Origin, Provenance, TagDecision, TagResult
from tests.fakes.command_line import ask, llm4tag, statistics
from tests.fakes.jsonl_files import jsonl, written


def result(content_id: str, *tags: tuple[str, float, str], **more: Any) -> dict[str, Any]:
    """Make a line as ``tag`` writes it."""
    made = TagResult(
        id=content_id,
        tags=tuple(
            TagDecision(
                id=tag,
                name=tag.title(),
                confidence=confidence,
                decision=Decision(decision),
                calibration=CalibrationNote(),
                evidence=(),
            )
            for tag, confidence, decision in tags
        ),
        origin=Origin(vocabulary="v", embedding="none", model=None),
    )
    line: dict[str, Any] = made.model_dump(mode="json")
    return {**line, **more}


def assignments(location: Path, content_id: str) -> list[tuple[str, Provenance, float]]:
    found = ask(location, lambda opened: opened.assignments_of([content_id]))
    given: Sequence[Assignment] = found.get(content_id, ())
    return sorted((one.tag, one.provenance, one.confidence) for one in given)


@pytest.fixture
def filled(store: Path, tmp_path: Path) -> Path:
    """Return the store with one content that a human tagged."""
    history = jsonl(tmp_path / "h.jsonl", {"id": "old", "text": "t", "tags": ["mail"]})
    assert llm4tag("ingest", "history", history, "--store", store).exit_code == 0
    return store


def test_accepted_tags_join_those_that_are_there(filled: Path, tmp_path: Path) -> None:
    out = jsonl(tmp_path / "out.jsonl", result("old", ("web", 0.9, "accept"), ("mail", 0.4, "review")))
    done = llm4tag("accept", out, "--store", filled)
    assert done.exit_code == 0, done.output
    assert "1 tags written as model's" in done.stderr
    expected = [("mail", Provenance.HUMAN, 1.0), ("web", Provenance.MODEL, 0.9)]
    assert assignments(filled, "old") == expected
    assert llm4tag("accept", out, "--store", filled).exit_code == 0
    assert assignments(filled, "old") == expected


def test_a_humans_word_is_certain(filled: Path, tmp_path: Path) -> None:
    out = jsonl(tmp_path / "out.jsonl", result("old", ("web", 0.6, "accept")))
    assert llm4tag("accept", out, "--store", filled, "--provenance", "human").exit_code == 0
    assert ("web", Provenance.HUMAN, 1.0) in assignments(filled, "old")


def test_which_tags_are_taken(filled: Path, tmp_path: Path) -> None:
    out = jsonl(tmp_path / "out.jsonl", result("old", ("web", 0.4, "review"), ("mail", 0.1, "reject")))
    done = llm4tag("accept", out, "--store", filled)
    assert done.exit_code == 0
    assert "1 results have no accepted tag" in done.stderr
    assert llm4tag("accept", out, "--store", filled, "--include-review", "--min-confidence", "0.5").exit_code == 0
    assert assignments(filled, "old") == [("mail", Provenance.HUMAN, 1.0)]
    assert llm4tag("accept", out, "--store", filled, "--include-review").exit_code == 0
    assert ("web", Provenance.MODEL, 0.4) in assignments(filled, "old")


def test_new_contents_take_their_text_from_the_line_or_the_contents(filled: Path, tmp_path: Path) -> None:
    inputs = jsonl(
        tmp_path / "new.jsonl", "broken", {"id": "a", "text": "文本", "title": "T"}, {"id": "z", "text": "z"}
    )
    plain = tmp_path / "new.txt"
    plain.write_text("plain words\n")
    unnamed = text_id("", "plain words")
    out = jsonl(
        tmp_path / "out.jsonl",
        result("a", ("web", 0.9, "accept")),
        result("b", ("web", 0.8, "accept"), text="its own text"),
        result(unnamed, ("mail", 0.7, "accept")),
        result("c", ("web", 0.6, "accept")),
    )
    done = llm4tag("accept", out, "--store", filled, "--contents", inputs, "--contents", plain)
    assert done.exit_code == 3
    contents = ask(filled, lambda opened: opened.get_contents(["a", "b", unnamed, "c", "z"]))
    assert [(content.title, content.text) for content in contents] == [
        ("T", "文本"),
        ("", "its own text"),
        ("", "plain words"),
    ]
    assert assignments(filled, "a") == [("web", Provenance.MODEL, 0.9)]
    (row,) = written(tmp_path / "out.jsonl.rejected.jsonl")
    assert (row["line"], row["field"]) == (4, "id")
    assert "neither the store nor the line has the text of 'c'" in row["problem"]
    assert "the option contents" in row["remedy"]
    assert statistics(filled).contents == 4


def test_what_tag_wrote_is_accepted_without_another_file(filled: Path, tmp_path: Path) -> None:
    new = jsonl(tmp_path / "new.jsonl", {"id": "n", "text": "网络 browser, mail", "title": "Web"})
    out = tmp_path / "out.jsonl"
    tagged = llm4tag("tag", new, "--store", filled, "-o", out, "--no-llm", "--accept-at", "0")
    assert tagged.exit_code == 0, tagged.output
    (line,) = written(out)
    assert (line["text"], line["title"]) == ("网络 browser, mail", "Web")
    done = llm4tag("accept", out, "--store", filled)
    assert done.exit_code == 0, done.output
    assert "1 added" in done.stdout
    (content,) = ask(filled, lambda opened: opened.get_contents(["n"]))
    assert (content.title, content.text) == ("Web", "网络 browser, mail")
    assert {tag for tag, by, _ in assignments(filled, "n") if by is Provenance.MODEL} == {
        tag["id"] for tag in line["tags"]
    }


def test_lines_that_cannot_be_written(filled: Path, tmp_path: Path) -> None:
    tag = {"id": "web", "confidence": 0.9, "decision": "accept"}
    out = jsonl(
        tmp_path / "out.jsonl",
        {"id": "old", "tags": [tag, {**tag, "id": "net"}, {**tag, "id": "gone"}]},
        {"id": "old", "tags": [tag]},
        {"id": "a"},
        {"id": "b", "tags": [{**tag, "decision": "maybe"}]},
        {"id": "c", "tags": [{**tag, "confidence": 7}]},
        {"id": "d", "tags": [{**tag, "id": "gone"}]},
        '{"id": "e", "tags": [',
    )
    done = llm4tag("accept", out, "--store", filled)
    assert done.exit_code == 3
    rows = {row["line"]: row for row in written(tmp_path / "out.jsonl.rejected.jsonl")}
    assert {line: row["field"] for line, row in rows.items()} == {
        1: "tags",
        2: "id",
        3: "tags",
        4: "tags.0.decision",
        5: "tags.0.confidence",
        6: "tags",
        7: "",
    }
    assert rows[1]["problem"] == "'net' is a group; 'gone' is no tag of the vocabulary"
    assert [row["partial"] for row in rows.values()] == [True, *[False] * 6]
    assert ("web", Provenance.MODEL, 0.9) in assignments(filled, "old")


def test_nothing_usable(filled: Path, tmp_path: Path) -> None:
    for lines in (["broken"], [], [result("new", ("web", 0.9, "accept"))]):
        out = jsonl(tmp_path / "out.jsonl", *lines)
        assert llm4tag("accept", out, "--store", filled).exit_code == 2
    gone = llm4tag("accept", "none", "--store", filled)
    assert (gone.exit_code, gone.stderr) == (2, "error: none: no such file or directory; check the path\n")
    history = tmp_path / "h.jsonl"
    before = history.read_bytes()
    refused = llm4tag("accept", out, "--store", filled, "--contents", history, "--rejects", history)
    assert (refused.exit_code, history.read_bytes()) == (2, before)
    assert llm4tag("accept", out, "--store", tmp_path / "none.store").exit_code == 1
