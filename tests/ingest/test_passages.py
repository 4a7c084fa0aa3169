"""Passages read from files and folders."""

from pathlib import Path

import pytest

from llm4tag.knowledge_store.ingest.passages import ingest_knowledge
from llm4tag.knowledge_store.protocol import Collection, KnowledgeStore, SearchQuery
from llm4tag.knowledge_store.records import Writing
from llm4tag.schema import UsageError
from tests.fakes.jsonl_files import jsonl, written

LONG = "".join(f"Sentence number {n} tells of the weather in town. " for n in range(60))


async def found(store: KnowledgeStore, words: str) -> list[str]:
    hits = await store.search(Collection.PASSAGES, SearchQuery(text=words, alpha=0, limit=50))
    return [hit.id for hit in hits]


async def test_jsonl(store: KnowledgeStore, tmp_path: Path) -> None:
    file = jsonl(
        tmp_path / "k.jsonl",
        {"id": "zh", "title": "首都", "text": "北京是中国的首都。"},
        {"id": "long", "text": LONG},
        {"id": "none"},
        {"id": "zh", "text": "twice"},
        {"id": "blank", "text": ""},
    )
    report = await ingest_knowledge(store, [file])
    assert await found(store, "北京") == ["zh"]
    parts = await found(store, "weather")
    assert len(parts) > 2
    assert {part.partition("#")[0] for part in parts} == {"long"}
    assert report.written.added == 1 + len(parts)
    assert [(row["line"], row["field"]) for row in written(tmp_path / "k.jsonl.rejected.jsonl")] == [
        (3, "text"),
        (4, "id"),
        (5, "text"),
    ]


async def test_files_are_followed_by_their_hash(store: KnowledgeStore, tmp_path: Path) -> None:
    file = tmp_path / "k.jsonl"
    jsonl(file, {"id": "a", "text": "alpha"}, {"id": "b", "text": "beta"})
    await ingest_knowledge(store, [str(file)])
    again = await ingest_knowledge(store, [str(file)])
    assert (again.unchanged_files, again.written) == (1, Writing())
    jsonl(file, {"id": "a", "text": "alpha"}, {"id": "c", "text": "gamma"})
    changed = await ingest_knowledge(store, [str(file)])
    assert (changed.written, changed.removed) == (Writing(added=1, unchanged=1), 1)
    assert [passage.id for passage in await store.get_passages(["a", "b", "c"])] == ["a", "c"]


async def test_a_file_with_bad_rows_removes_nothing_and_is_read_again(
    store: KnowledgeStore, tmp_path: Path
) -> None:
    file = tmp_path / "k.jsonl"
    jsonl(file, {"id": "a", "text": "alpha"}, {"id": "b", "text": "beta"})
    await ingest_knowledge(store, [str(file)])
    jsonl(file, {"id": "a", "text": "alpha"}, '{"id": "b"')
    for _ in range(2):
        report = await ingest_knowledge(store, [str(file)])
        assert (report.set_aside, report.removed, report.unchanged_files) == (1, 0, 0)
        assert any("stay until its bad rows are corrected" in notice.message for notice in report.notices)
    assert len(await store.get_passages(["a", "b"])) == 2


async def test_other_passage_sizes_cut_again(store: KnowledgeStore, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "k.jsonl", {"id": "long", "text": LONG})
    few = await ingest_knowledge(store, [file], chunk_size=512, chunk_overlap=0)
    many = await ingest_knowledge(store, [file], chunk_size=64, chunk_overlap=0)
    assert many.read > few.read > 0
    back = await ingest_knowledge(store, [file], chunk_size=512, chunk_overlap=0)
    assert len(await found(store, "weather")) == few.read == back.read
    with pytest.raises(UsageError, match="cannot overlap"):
        await ingest_knowledge(store, [file], chunk_size=64, chunk_overlap=64)


async def test_folder_of_documents(store: KnowledgeStore, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    (folder / "deep").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "no.txt").write_text("invisible")
    (folder / "deep" / "guide.md").write_text(f"\ufeff# The Guide #\n\n{LONG}", encoding="utf-8")
    (folder / "page.html").write_text(
        "<html><head><title>Web\n page</title><style>p {color: purple}</style></head>"
        "<body><p>Visible&nbsp;words of <b>bo</b>ld</p><script>secret()</script></body></html>"
    )
    (folder / "note.txt").write_text("天气预报", encoding="utf-8")
    (folder / "bad.txt").write_bytes(b"caf\xe9")
    (folder / "logo.png").write_bytes(b"png")
    report = await ingest_knowledge(store, [str(folder)])
    passages = await store.get_passages(await found(store, "天气 weather visible"))
    by_title = {passage.title: passage for passage in passages}
    assert by_title.keys() == {"The Guide", "Web page", "note"}
    assert by_title["Web page"].text == "Visible words of bold"
    assert by_title["note"].source == (folder / "note.txt").resolve().as_posix()
    assert not await found(store, "invisible purple secret")
    (problem,) = report.problems
    assert (problem.file, problem.line) == (str(folder / "bad.txt"), None)
    assert "not UTF-8 at byte 4" in problem.problem
    assert [str(notice) for notice in report.notices] == [f"{folder}: 1 files not read: .png"]


async def test_files_that_vanish_from_a_folder(store: KnowledgeStore, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.txt").write_text("alpha words")
    (folder / "b.txt").write_text("beta words")
    await ingest_knowledge(store, [str(folder)])
    (folder / "b.txt").unlink()
    for _ in range(2):
        report = await ingest_knowledge(store, [str(folder)])
        assert (report.removed, report.unchanged_files) == (0, 1)
        assert ["b.txt: no longer there" in str(notice) for notice in report.notices] == [True]
    assert len(await found(store, "words")) == 2
    assert (await ingest_knowledge(store, [str(folder)], replace=True)).removed == 1
    assert len(await found(store, "words")) == 1
    (folder / "b.txt").write_text("beta words")
    assert (await ingest_knowledge(store, [str(folder)])).written == Writing(added=1)


async def test_a_file_named_next_to_its_folder_is_read_once(store: KnowledgeStore, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("alpha")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "b.txt").write_text("beta")
    report = await ingest_knowledge(store, [str(tmp_path / "docs"), str(tmp_path / "docs" / "b.txt"), str(file)])
    assert report.read == 2


async def test_what_cannot_be_read(store: KnowledgeStore, tmp_path: Path) -> None:
    (tmp_path / "a.doc").write_text("")
    (tmp_path / "empty").mkdir()
    for path, message in (
        ("a.doc", r"a\.doc: cannot tell the format by its name; accepted are .*\.md"),
        ("none.txt", "no such file"),
        ("empty", "nothing in it to read"),
    ):
        with pytest.raises(UsageError, match=message):
            await ingest_knowledge(store, [str(tmp_path / path)])
    empty = jsonl(tmp_path / "empty.jsonl")
    for _ in range(2):
        with pytest.raises(UsageError, match="nothing in it to read"):
            await ingest_knowledge(store, [empty])
