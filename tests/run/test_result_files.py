"""The output file: resumption, torn lines, settings, locks."""

import io
import json
from pathlib import Path

import pytest

from llm4tag.result_files import EarlierResult, OutputFile, StreamSink, read_results, settings_path
from llm4tag.schema import Content, TagResult, UsageError
from tests.fakes.scripted_tagger import result_of

SETTINGS = {"model": "m", "top": "50"}
CONTENTS = {one: Content(id=one, text=f"text of {one}") for one in "abcd"}


def result(content_id: str, degraded: str | None = None) -> TagResult:
    made = result_of(CONTENTS[content_id], degraded=degraded)
    origin = made.origin.model_copy(update={"content": CONTENTS[content_id].digest})
    return made.model_copy(update={"origin": origin})


async def written(path: Path, *results: TagResult) -> None:
    output = OutputFile.open(path, SETTINGS, CONTENTS)
    for one in results:
        await output.write(one)
    output.close()


async def test_lines_are_there_as_soon_as_written(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    output = OutputFile.open(path, SETTINGS, CONTENTS)
    await output.write(result("a"))
    assert [one.id for one in read_results(path)] == ["a"]
    assert json.loads(settings_path(path).read_text()) == SETTINGS
    output.close()


async def test_goes_on_with_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    await written(path, result("b"), result("a", degraded="model down"))
    output = OutputFile.open(path, SETTINGS, CONTENTS)
    assert output.done == {
        "b": EarlierResult(CONTENTS["b"].digest, None),
        "a": EarlierResult(CONTENTS["a"].digest, "model down"),
    }
    assert not output.dropped
    await output.write(result("c"))
    output.close()
    assert [one.id for one in read_results(path)] == ["b", "a", "c"]


async def test_torn_last_line_is_dropped_with_a_word(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    await written(path, result("a"), result("b"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert [one.id for one in read_results(path)] == ["a"]
    output = OutputFile.open(path, SETTINGS, CONTENTS)
    assert set(output.done) == {"a"}
    assert any("torn" in words for words in output.dropped.words())
    await output.write(result("b"))
    output.close()
    assert path.read_bytes() == whole


async def test_changed_contents_are_tagged_again(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    await written(path, result("a"), result("b"))
    changed = {**CONTENTS, "a": Content(id="a", text="another text")}
    output = OutputFile.open(path, SETTINGS, changed)
    assert set(output.done) == {"b"}
    assert any("changed" in words for words in output.dropped.words())
    output.close()
    assert [one.id for one in read_results(path)] == ["b"]


async def test_degraded_results_stay_unless_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    await written(path, result("a", degraded="model down"), result("b"))
    OutputFile.open(path, SETTINGS, CONTENTS).close()
    assert [one.id for one in read_results(path)] == ["a", "b"]
    output = OutputFile.open(path, SETTINGS, CONTENTS, retry_degraded=True)
    assert set(output.done) == {"b"}
    output.close()
    assert [one.id for one in read_results(path)] == ["b"]


async def test_results_of_other_contents_stay(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    await written(path, result("a", degraded="down"), result("b"))
    output = OutputFile.open(path, SETTINGS, {"c": CONTENTS["c"]}, retry_degraded=True)
    output.close()
    assert [one.id for one in read_results(path)] == ["a", "b"]


async def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    await written(path, result("a"))
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"model \(then m, now n\).*overwrite") as caught:
        OutputFile.open(path, {**SETTINGS, "model": "n"}, CONTENTS)
    assert "top" not in str(caught.value)
    assert path.read_bytes() == before
    output = OutputFile.open(path, {**SETTINGS, "model": "n"}, CONTENTS, overwrite=True)
    output.close()
    assert path.read_bytes() == b""
    assert json.loads(settings_path(path).read_text())["model"] == "n"


async def test_foreign_files_are_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("my notes\n")
    with pytest.raises(UsageError, match=r"without out\.jsonl\.settings\.json"):
        OutputFile.open(path, SETTINGS, CONTENTS)
    settings_path(path).write_text(json.dumps(SETTINGS))
    with pytest.raises(UsageError, match=r"out\.jsonl:1: is not a result"):
        OutputFile.open(path, SETTINGS, CONTENTS)
    settings_path(path).write_text("{")
    with pytest.raises(UsageError, match="not JSON"):
        OutputFile.open(path, SETTINGS, CONTENTS)
    assert path.read_text() == "my notes\n"


def test_a_second_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    first = OutputFile.open(path, SETTINGS, CONTENTS)
    with pytest.raises(UsageError, match="another run"):
        OutputFile.open(path, SETTINGS, CONTENTS)
    first.close()
    OutputFile.open(path, SETTINGS, CONTENTS).close()


async def test_the_lock_outlives_a_rewrite(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    await written(path, result("a"))
    with path.open("ab") as stream:
        stream.write(b'{"id"')
    first = OutputFile.open(path, SETTINGS, CONTENTS)
    with pytest.raises(UsageError, match="another run"):
        OutputFile.open(path, SETTINGS, CONTENTS)
    first.close()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        OutputFile.open(tmp_path / "none" / "out.jsonl", SETTINGS, CONTENTS)


def test_reading_what_is_no_result(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text('{"id": "a"}\n')
    with pytest.raises(UsageError, match=r"out.jsonl:1: field 'tags'"):
        list(read_results(path))
    with pytest.raises(UsageError, match="cannot be read"):
        list(read_results(tmp_path / "none.jsonl"))


async def test_a_stream_gets_one_line_a_result() -> None:
    stream = io.BytesIO()
    sink = StreamSink(stream)
    await sink.write(result("a"))
    sink.close()
    assert TagResult.model_validate_json(stream.getvalue()) == result("a")
    assert stream.getvalue().endswith(b"}\n")
