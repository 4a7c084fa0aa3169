"""Ingest runs: what is stored, replaced, retired and set aside."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from llm4tag.knowledge_store.embedded import EmbeddedStore
from llm4tag.knowledge_store.ingest.ingest_run import ingest_history, ingest_vocabulary
from llm4tag.knowledge_store.ingest.passages import ingest_knowledge
from llm4tag.knowledge_store.items import BATCH
from llm4tag.knowledge_store.protocol import Collection, KnowledgeStore, SearchQuery
from llm4tag.knowledge_store.records import Writing
from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import TaggedContent, UsageError
from tests.fakes.embedder import fake_embedder
from tests.fakes.jsonl_files import jsonl, written


async def test_vocabulary_with_groups(store: KnowledgeStore, tmp_path: Path) -> None:
    tags = jsonl(tmp_path / "t.jsonl", {"id": "a", "name": "苹果", "parents": ["g"]}, {"id": "b", "name": "Pear"})
    groups = jsonl(tmp_path / "g.jsonl", {"id": "g", "name": "Fruit"})
    counted: list[int] = []
    report = await ingest_vocabulary(store, [tags], groups=[groups], progress=counted.append)
    assert (report.read, report.written, report.set_aside) == (3, Writing(added=3), 0)
    assert sum(counted) == 3
    vocabulary = await store.vocabulary()
    assert vocabulary.assignable == {"a", "b"}
    assert vocabulary.within("g") == {"a"}
    again = await ingest_vocabulary(store, [tags], groups=[groups])
    assert again.written == Writing(unchanged=3)
    hits = await store.search(Collection.UNITS, SearchQuery(text="红苹果", alpha=0))
    assert [getattr(hit, "tag", None) for hit in hits] == ["a"]


async def test_where_vectors_are_computed_progress_comes_in_small_steps(tmp_path: Path) -> None:
    tags = jsonl(tmp_path / "t.jsonl", *({"id": f"t{n}", "name": f"tag {n}"} for n in range(150)))
    history = jsonl(tmp_path / "h.jsonl", *({"id": str(n), "text": "t", "tags": ["t1"]} for n in range(150)))
    knowledge = jsonl(tmp_path / "k.jsonl", *({"id": f"k{n}", "text": "t"} for n in range(150)))
    async with await EmbeddedStore.open(tmp_path / "a", fake_embedder, embedding="fake", create=True) as store:
        for ingest, file in ((ingest_vocabulary, tags), (ingest_history, history), (ingest_knowledge, knowledge)):
            counted: list[int] = []
            await ingest(store, [file], progress=counted.append)
            assert counted == [64, 64, 22]


async def test_replace_retires_what_is_absent(store: KnowledgeStore, tmp_path: Path) -> None:
    both = jsonl(tmp_path / "both.jsonl", {"id": "a", "name": "A"}, {"id": "b", "name": "B"})
    one = jsonl(tmp_path / "one.jsonl", {"id": "a", "name": "A"})
    await ingest_vocabulary(store, [both])
    assert (await ingest_vocabulary(store, [one])).retired == 0
    assert (await ingest_vocabulary(store, [one], replace=True)).retired == 1
    vocabulary = await store.vocabulary()
    assert vocabulary["b"].retired
    assert vocabulary.assignable == {"a"}
    assert (await ingest_vocabulary(store, [one], replace=True)).retired == 0
    await ingest_vocabulary(store, [both])
    assert (await store.vocabulary()).assignable == {"a", "b"}


async def test_replace_retires_nothing_while_rows_are_set_aside(store: KnowledgeStore, tmp_path: Path) -> None:
    both = jsonl(tmp_path / "t.jsonl", {"id": "a", "name": "A"}, {"id": "b", "name": "B"})
    await ingest_vocabulary(store, [both])
    jsonl(tmp_path / "t.jsonl", {"id": "a", "name": "A"}, '{"id": "b", "name": ')
    report = await ingest_vocabulary(store, [both], replace=True)
    assert (report.retired, report.set_aside) == (0, 1)
    assert any("no tag was retired" in notice.message for notice in report.notices)
    assert (await store.vocabulary()).assignable == {"a", "b"}


async def test_history_rows_are_stored_or_set_aside(tagged: KnowledgeStore, tmp_path: Path) -> None:
    file = jsonl(
        tmp_path / "h.jsonl",
        {"id": "1", "text": "浏览器", "tags": ["网络", "gone"]},
        {"id": "2", "text": "a mailer", "tags": ["mail"]},
        '{"id": "3", "te',
        {"id": "4", "text": "t", "tags": ["gone"]},
        {"id": "2", "text": "again", "tags": ["mail"]},
    )
    counted: list[int] = []
    report = await ingest_history(tagged, [file], progress=counted.append)
    assert (report.read, report.written) == (sum(counted), Writing(added=2)) == (5, Writing(added=2))
    assert (report.set_aside, report.incomplete, report.flawless) == (3, 1, False)
    rejects = tmp_path / "h.jsonl.rejected.jsonl"
    assert report.rejects == (str(rejects),)
    rows = written(rejects)
    assert [(row["line"], row["field"], row["partial"]) for row in rows] == [
        (1, "tags", True),
        (3, "", False),
        (4, "tags", False),
        (5, "id", False),
    ]
    assert all(row["file"] == file and row["problem"] and row["remedy"] for row in rows)
    assert rows[1]["raw"] == '{"id": "3", "te'
    assert rows[2]["raw"] == {"id": "4", "text": "t", "tags": ["gone"]}
    stored = await tagged.get_contents(["1", "2"])
    assert [[assignment.tag for assignment in content.assignments] for content in stored] == [["web"], ["mail"]]
    assert stored[1].text == "a mailer"
    hits = await tagged.search(Collection.CONTENTS, SearchQuery(text="浏览", alpha=0))
    assert [hit.id for hit in hits] == ["1"]


async def test_corrected_file_removes_its_rejects(tagged: KnowledgeStore, tmp_path: Path) -> None:
    good = {"id": "1", "text": "t", "tags": ["web"]}
    file = jsonl(tmp_path / "h.jsonl", good, "broken")
    await ingest_history(tagged, [file])
    assert (tmp_path / "h.jsonl.rejected.jsonl").exists()
    jsonl(tmp_path / "h.jsonl", good)
    report = await ingest_history(tagged, [file])
    assert report.flawless
    assert not (tmp_path / "h.jsonl.rejected.jsonl").exists()


async def test_rejects_of_all_inputs_in_one_given_file(tagged: KnowledgeStore, tmp_path: Path) -> None:
    files = [
        jsonl(tmp_path / f"{name}.jsonl", {"id": name, "text": "t", "tags": ["web"]}, "broken") for name in "ab"
    ]
    given = tmp_path / "sub" / "bad.jsonl"
    report = await ingest_history(tagged, files, rejects=given)
    assert report.rejects == (str(given),)
    assert [row["file"] for row in written(given)] == files
    with pytest.raises(UsageError, match="is an input"):
        await ingest_history(tagged, files, rejects=Path(files[0]))


@pytest.mark.parametrize("content", ["", "\n\n", "broken\n", '{"id": "1", "text": "t", "tags": ["gone"]}\n'])
async def test_nothing_usable(tagged: KnowledgeStore, tmp_path: Path, content: str) -> None:
    file = tmp_path / "h.jsonl"
    file.write_text(content)
    with pytest.raises(UsageError, match=r"h\.jsonl: (nothing in it|no usable row, 1 set aside)"):
        await ingest_history(tagged, [str(file)])
    assert (tmp_path / "h.jsonl.rejected.jsonl").exists() == bool(content.strip())


async def test_history_needs_a_vocabulary(store: KnowledgeStore, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "h.jsonl", {"id": "1", "text": "t", "tags": ["web"]})
    with pytest.raises(UsageError, match="has no tags yet; ingest a vocabulary into the store"):
        await ingest_history(store, [file])


async def test_a_file_that_cannot_be_read_stops_all_before_anything_is_written(
    tagged: KnowledgeStore, tmp_path: Path
) -> None:
    good = jsonl(tmp_path / "h.jsonl", {"id": "1", "text": "t", "tags": ["web"]})
    with pytest.raises(UsageError, match=r"none\.jsonl: no such file"):
        await ingest_history(tagged, [good, str(tmp_path / "none.jsonl")])
    with pytest.raises(UsageError, match="given twice"):
        await ingest_history(tagged, [good, good])
    assert await tagged.get_contents(["1"]) == []


class _Stopping:
    """A store that is interrupted at its second batch."""

    def __init__(self, store: KnowledgeStore) -> None:
        self._store = store
        self._batches = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def upsert_contents(self, contents: Sequence[TaggedContent]) -> Writing:
        self._batches += 1
        if self._batches == 2:
            raise asyncio.CancelledError
        return await self._store.upsert_contents(contents)


async def test_a_rerun_goes_on_where_an_interrupted_run_was(tagged: KnowledgeStore, tmp_path: Path) -> None:
    rows = [{"id": str(n), "text": f"content {n}", "tags": ["web"]} for n in range(2 * BATCH)]
    file = jsonl(tmp_path / "h.jsonl", *rows)
    with pytest.raises(asyncio.CancelledError):
        await ingest_history(_Stopping(tagged), [file])  # type: ignore[arg-type]
    assert (await tagged.statistics()).contents == BATCH
    location = tagged.location
    async with await open_store(location) as reopened:
        report = await ingest_history(reopened, [file])
        assert report.written == Writing(added=BATCH, unchanged=BATCH)
        assert (await reopened.statistics()).contents == 2 * BATCH


async def test_real_history(store: KnowledgeStore, shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "debtags"
    await ingest_vocabulary(store, [str(folder / "tags.jsonl")], groups=[str(folder / "tag_groups.jsonl")])
    report = await ingest_history(store, [str(folder / "dev.jsonl")], rejects=tmp_path / "bad.jsonl")
    assert (report.written.added, report.set_aside, report.incomplete) == (300, 0, 0)
    statistics = await store.statistics()
    assert (statistics.tags, statistics.contents) == (463, 300)
