"""Rows read from JSONL, tables and text, and the problems of broken ones."""

import gzip
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm4tag.knowledge_store.ingest.row import Row, RowProblem
from llm4tag.knowledge_store.ingest.row_files import check_rows, count_rows, read_rows
from llm4tag.schema import UsageError
from tests.fakes.jsonl_files import jsonl


def read(file: str, **how: Any) -> tuple[list[Row], list[RowProblem]]:
    items = list(read_rows(file, **how))
    return [item for item in items if isinstance(item, Row)], [
        item for item in items if isinstance(item, RowProblem)
    ]


def test_jsonl_keeps_lines_and_drops_nulls(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "a.jsonl", {"id": "a", "title": None, "text": "北京"}, "", {"id": "b", "text": "x"})
    rows, problems = read(file)
    assert [(row.line, row.data) for row in rows] == [
        (1, {"id": "a", "text": "北京"}),
        (3, {"id": "b", "text": "x"}),
    ]
    assert problems == []


def test_byte_order_mark_is_tolerated(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"id": "a"}\r\n{"id": "b"}')
    rows, problems = read(str(file))
    assert [row.data["id"] for row in rows] == ["a", "b"]
    assert problems == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "c", "text": ', "not JSON: Expecting value at character 21"),
        ('["a"]', "holds a list, not an object"),
        ("17", "holds a int, not an object"),
        ('{"id": "c", "id": "d"}', "the field 'id' is there twice"),
        ('{"id": "c", "n": NaN}', "NaN is no JSON"),
        ('{"id": "c", "text": "\\ud800"}', "half a character"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_broken_line_is_a_problem_and_the_rest_is_read(tmp_path: Path, line: str, message: str) -> None:
    file = jsonl(tmp_path / "a.jsonl", {"id": "a"}, {"id": "b"}, line, {"id": "d"})
    rows, problems = read(file)
    assert [row.data["id"] for row in rows] == ["a", "b", "d"]
    (problem,) = problems
    assert (problem.file, problem.line) == (file, 3)
    assert message in problem.problem
    assert problem.remedy
    assert problem.raw == line


def test_escaped_pair_of_surrogates_is_one_character(tmp_path: Path) -> None:
    rows, problems = read(jsonl(tmp_path / "a.jsonl", '{"id": "\\ud83d\\ude00"}'))
    assert rows[0].data == {"id": "😀"}
    assert problems == []


def test_bad_utf8_names_line_and_byte(tmp_path: Path) -> None:
    rows, problems = read(jsonl(tmp_path / "a.jsonl", {"id": "a"}, b'{"id": "\xff\xfe"}', {"id": "c"}))
    assert [row.data["id"] for row in rows] == ["a", "c"]
    assert problems[0].line == 2
    assert "not UTF-8 at byte 9" in problems[0].problem
    assert problems[0].raw == '{"id": "\\xff\\xfe"}'


def test_utf16_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes('{"id": "a"}\n'.encode("utf-16"))
    with pytest.raises(UsageError, match=r"a\.jsonl: the text is UTF-16; save it as UTF-8"):
        list(read_rows(str(file)))


def test_csv_lists_empty_cells_and_line_breaks(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('\ufeffid, text,tags,title\na,"one\ntwo, ""three""",x|y ||z,\nb,四,,T\n', encoding="utf-8")
    rows, problems = read(str(file), lists=("tags",))
    assert problems == []
    assert [(row.line, row.data) for row in rows] == [
        (2, {"id": "a", "text": 'one\ntwo, "three"', "tags": ["x", "y", "z"]}),
        (4, {"id": "b", "text": "四", "title": "T"}),
    ]


def test_csv_bad_rows(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b'id,text\na,one,more\nb,"two"x\nc,\xff\nd,four\n\ne\n')
    rows, problems = read(str(file))
    assert [row.data for row in rows] == [{"id": "d", "text": "four"}]
    assert [problem.line for problem in problems] == [2, 3, 4, 7]
    assert "3 cells where the header has 2" in problems[0].problem
    assert "not CSV" in problems[1].problem
    assert "not UTF-8 at byte 3" in problems[2].problem
    assert "1 cells" in problems[3].problem


def test_csv_cell_larger_than_the_modules_default(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"id,text\na,{'x' * 200_000}\n")
    rows, problems = read(str(file))
    assert problems == []
    assert len(rows[0].data["text"]) == 200_000


def test_tsv(tmp_path: Path) -> None:
    file = tmp_path / "a.tsv"
    file.write_text("id\ttext\na\tone, two\n")
    assert read(str(file))[0][0].data == {"id": "a", "text": "one, two"}


def test_parquet_is_read_lazily_with_lists_of_either_kind(tmp_path: Path) -> None:
    file = str(tmp_path / "a.parquet")
    pq.write_table(
        pa.table({"id": ["a", "b"], "tags": [["x", "y"], None], "parents": ["p|q", ""], "n": [1, 2]}), file
    )
    rows = read_rows(file, lists=("tags", "parents"))
    first = next(rows)
    assert isinstance(first, Row)
    assert (first.line, first.data) == (1, {"id": "a", "tags": ["x", "y"], "parents": ["p", "q"], "n": 1})
    second = next(rows)
    assert isinstance(second, Row)
    assert (second.line, second.data) == (2, {"id": "b", "n": 2})


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    file.write_text("id,text\n")
    with pytest.raises(UsageError, match=r"a\.parquet: not a Parquet file"):
        list(read_rows(str(file)))


def test_plain_text_only_where_it_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("one\n\n两\n", encoding="utf-8")
    rows, _ = read(str(file), text=True)
    assert [(row.line, row.data) for row in rows] == [(1, {"text": "one"}), (3, {"text": "两"})]
    with pytest.raises(UsageError, match=r"accepted are \.jsonl, \.ndjson, \.csv, \.tsv, \.parquet"):
        list(read_rows(str(file)))


def test_gzip(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(b'{"id": "a"}\n'))
    assert read(str(file))[0][0].data == {"id": "a"}


def test_truncated_gzip_keeps_what_could_be_read(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(b"".join(b'{"id": "%d"}\n' % n for n in range(20_000)))[:-200])
    rows, problems = read(str(file))
    assert rows[0].data == {"id": "0"}
    assert problems[-1].line == rows[-1].line + 1 if rows[-1].line else False
    assert "broken from here on" in problems[-1].problem


@pytest.mark.parametrize(
    ("given", "data"),
    [
        (b'\xef\xbb\xbf\n{"id": "a", "text": "t"}\n', [{"id": "a", "text": "t"}]),
        (b"first\nsecond\n", [{"text": "first"}, {"text": "second"}]),
        (b"", []),
    ],
)
def test_stdin_by_look(monkeypatch: pytest.MonkeyPatch, given: bytes, data: list[dict[str, str]]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))
    rows, problems = read("-", text=True)
    assert [row.data for row in rows] == data
    assert problems == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", b"", r"a\.xlsx: cannot tell the format by its name; accepted are \.jsonl"),
        ("a.csv", b"id;text\n1;x\n", r"no column 'tags' or 'assignments'; it has 'id;text'"),
        ("a.csv", b"id,tags,id\n", r"the column 'id' is there twice"),
        ("a.csv.gz", b"no gzip", r"not a gzip file"),
    ],
)
def test_files_are_checked_before_anything_is_written(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        check_rows([str(file)], ("tags|assignments", "id"))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no\.jsonl: no such file"):
        check_rows([str(tmp_path / "no.jsonl")], ())
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match="is a directory"):
        check_rows([str(tmp_path / "folder.csv")], ())


def test_parquet_without_the_column(tmp_path: Path) -> None:
    file = str(tmp_path / "a.parquet")
    pq.write_table(pa.table({"id": ["a"]}), file)
    with pytest.raises(UsageError, match="no column 'text'; it has 'id'"):
        check_rows([file], ("id", "text"))


def test_count_rows(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "a.jsonl", {"id": "a"}, {"id": "b"})
    table = str(tmp_path / "a.parquet")
    pq.write_table(pa.table({"id": ["a"]}), table)
    assert count_rows([file, table]) == 3
    assert count_rows([file, "-"]) is None
    assert count_rows([str(tmp_path / "none.jsonl")]) is None
