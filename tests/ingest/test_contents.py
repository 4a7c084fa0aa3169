"""Contents and history read from rows."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm4tag.knowledge_store.ingest.contents import read_contents, read_history
from llm4tag.knowledge_store.ingest.notices import Notes
from llm4tag.knowledge_store.ingest.row import RowProblem
from llm4tag.schema import Content, Provenance, Tag, TaggedContent, Vocabulary
from tests.fakes.jsonl_files import jsonl

VOCABULARY = Vocabulary(
    [
        Tag(id="lang:zh", name="Chinese", aliases=("中文", "Mandarin")),
        Tag(id="lang:en", name="English", aliases=("tongue",)),
        Tag(id="organ", name="Organ", aliases=("Tongue",)),
        Tag(id="old", name="Old", retired=True),
        Tag(id="facet", name="Facet", group=True),
    ]
)


def history(file: str, notes: Notes | None = None) -> tuple[list[TaggedContent], list[RowProblem]]:
    items = list(read_history([file], VOCABULARY, notes))
    return [item for item in items if isinstance(item, TaggedContent)], [
        item for item in items if isinstance(item, RowProblem)
    ]


def test_contents_without_id_get_one_from_their_words(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("one\ntwo\none\n")
    ids = [item.id for item in read_contents(str(file)) if isinstance(item, Content)]
    assert ids[0].startswith("sha256:")
    assert ids[2] == f"{ids[0]}-2"
    assert len(set(ids)) == 3
    other = jsonl(tmp_path / "b.jsonl", {"text": "two"}, {"text": "one"})
    assert [item.id for item in read_contents(other) if isinstance(item, Content)] == [ids[1], ids[0]]


def test_contents_bad_rows(tmp_path: Path) -> None:
    file = jsonl(
        tmp_path / "a.jsonl",
        {"id": "a", "text": "t", "tags": ["x"]},
        {"id": "a", "text": "again"},
        {"id": "b"},
        {"id": "c", "text": ["no", "text"]},
        {"id": " ", "text": "t"},
        {"id": 7, "title": "only a title", "url": "x"},
    )
    notes = Notes()
    items = list(read_contents(file, notes=notes))
    assert items[0] == Content(id="a", text="t")
    assert items[5] == Content(id="7", text="", title="only a title")
    problems = [item for item in items[1:5] if isinstance(item, RowProblem)]
    assert [(problem.line, problem.field) for problem in problems] == [
        (2, "id"),
        (3, "text"),
        (4, "text"),
        (5, "id"),
    ]
    assert "is already used at line 1" in problems[0].problem
    assert all(problem.remedy for problem in problems)
    assert [str(notice) for notice in notes.notices] == [f"{file}:6: the field 'url' is not read"]


def test_history_maps_ids_names_and_aliases(tmp_path: Path) -> None:
    contents, problems = history(
        jsonl(tmp_path / "a.jsonl", {"id": "a", "text": "t", "tags": ["lang:zh", " english ", "中文", "old"]})
    )
    assert problems == []
    assert [assignment.tag for assignment in contents[0].assignments] == ["lang:zh", "lang:en", "old"]


def test_history_sets_unknown_and_ambiguous_tags_aside(tmp_path: Path) -> None:
    file = jsonl(
        tmp_path / "a.jsonl",
        {"id": "a", "text": "t", "tags": ["lang:zh", "klingon", "TONGUE"]},
        {"id": "b", "text": "t", "tags": ["klingon"]},
    )
    contents, problems = history(file)
    assert [content.id for content in contents] == ["a"]
    assert [assignment.tag for assignment in contents[0].assignments] == ["lang:zh"]
    partial, whole = problems
    assert (partial.file, partial.line, partial.field, partial.partial) == (file, 1, "tags", True)
    assert "'klingon' is no tag of the vocabulary" in partial.problem
    assert "'TONGUE' names several tags (lang:en, organ)" in partial.problem
    assert "give the id" in partial.remedy
    assert partial.raw == {"id": "a", "tags": ["klingon", "TONGUE"]}
    assert (whole.line, whole.partial) == (2, False)
    assert whole.raw == {"id": "b", "text": "t", "tags": ["klingon"]}


def test_history_keeps_groups_and_says_so(tmp_path: Path) -> None:
    rows = [{"id": str(n), "text": "t", "tags": ["facet"]} for n in range(3)]
    file = jsonl(tmp_path / "a.jsonl", *rows)
    notes = Notes()
    contents, problems = history(file, notes)
    assert problems == []
    assert [assignment.tag for content in contents for assignment in content.assignments] == ["facet"] * 3
    (notice,) = notes.notices
    assert "'facet' is a group" in notice.message
    assert (notice.line, notice.count) == (1, 3)


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        ({"text": "t", "tags": ["old"]}, "id", "is missing"),
        ({"id": "a", "tags": ["old"]}, "text", "is missing"),
        ({"id": "a", "text": "t"}, "tags", "is missing or empty"),
        ({"id": "a", "text": "t", "tags": []}, "tags", "is missing or empty"),
        ({"id": "a", "text": "t", "tags": "old"}, "tags", "is not a list"),
        ({"id": "a", "text": "t", "tags": [True]}, "tags.0", "is not a text"),
        ({"id": "a", "text": "t", "assignments": ["old"]}, "assignments.0", "is not an object"),
        ({"id": "a", "text": " ", "tags": ["old"]}, "text", "is blank"),
        ({"id": "a", "text": "t", "tags": ["old"], "provenance": "robot"}, "provenance", "'human' or 'model'"),
        ({"id": "a", "text": "t", "tags": ["old"], "confidence": 2}, "confidence", "less than or equal to 1"),
        ({"id": "a", "text": "t", "tags": ["old"], "time": "yesterday"}, "time", "datetime"),
        ({"id": "a", "text": "t", "assignments": [{"provenance": "human"}]}, "assignments.0.tag", "is missing"),
        ({"id": 1.5, "text": 2, "tags": ["old"]}, "id", "also field 'text'"),
    ],
)
def test_history_bad_rows(tmp_path: Path, row: dict[str, object], field: str, message: str) -> None:
    contents, problems = history(jsonl(tmp_path / "a.jsonl", row))
    assert contents == []
    (problem,) = problems
    assert problem.field == field
    assert message in problem.problem
    assert problem.remedy
    assert problem.raw == row


def test_history_defaults_and_richer_assignments(tmp_path: Path) -> None:
    file = jsonl(
        tmp_path / "a.jsonl",
        {"id": "a", "text": "t", "tags": ["old"]},
        {
            "id": "b",
            "text": "t",
            "tags": ["old"],
            "provenance": "model",
            "confidence": 0.5,
            "time": "2026-01-02T03:04:05",
        },
        {
            "id": "c",
            "text": "t",
            "assignments": [{"tag": "old"}, {"tag": "old", "provenance": "model", "confidence": 0.25}],
        },
    )
    os.utime(file, (1_700_000_000, 1_700_000_000))
    contents, problems = history(file)
    assert problems == []
    (first,), (second,), (third, fourth) = (content.assignments for content in contents)
    assert (first.provenance, first.confidence) == (Provenance.HUMAN, 1.0)
    assert first.time == datetime.fromtimestamp(1_700_000_000, UTC)
    assert (second.provenance, second.confidence) == (Provenance.MODEL, 0.5)
    assert second.time == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (third.provenance, fourth.provenance, fourth.confidence) == (Provenance.HUMAN, Provenance.MODEL, 0.25)


def test_history_of_csv_and_parquet(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("id,text,tags,confidence\na,t,lang:zh|Mandarin|old,0.5\nb,t,,\n", encoding="utf-8")
    contents, problems = history(str(table))
    assert [assignment.tag for assignment in contents[0].assignments] == ["lang:zh", "old"]
    assert [(problem.line, problem.field) for problem in problems] == [(3, "tags")]
    parquet = str(tmp_path / "a.parquet")
    when = datetime(2026, 1, 1, tzinfo=UTC)
    pq.write_table(pa.table({"id": [1], "text": ["t"], "tags": ["old|lang:en"], "time": [when]}), parquet)
    contents, problems = history(parquet)
    assert problems == []
    assert contents[0].id == "1"
    assert [(assignment.tag, assignment.time) for assignment in contents[0].assignments] == [
        ("old", when),
        ("lang:en", when),
    ]


def test_ids_must_differ_over_all_files(tmp_path: Path) -> None:
    row = {"id": "a", "text": "t", "tags": ["old"]}
    one, two = jsonl(tmp_path / "one.jsonl", row), jsonl(tmp_path / "two.jsonl", row)
    items = list(read_history([one, two], VOCABULARY))
    assert isinstance(items[1], RowProblem)
    assert f"is already used at {one}:1" in items[1].problem
