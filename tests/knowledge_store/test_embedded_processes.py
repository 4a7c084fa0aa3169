"""Several processes on one embedded store, and one that is killed."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from llm4tag.knowledge_store import Collection, Filters, SearchQuery, TagCount
from llm4tag.knowledge_store.embedded import EmbeddedStore
from llm4tag.schema import EmbeddingMismatchError, Provenance, TaggedContent
from tests.fakes.embedder import fake_embedder
from tests.fakes.store_worker import content

ROOT = Path(__file__).parents[2]


class WriterProcess:
    """A writing process that gets its commands line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def does(self, *words: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write((" ".join(map(str, words)) + "\n").encode())
        assert await self.answer() == "ok"

    async def answer(self) -> str:
        assert self.process.stdout is not None
        return (await self.process.stdout.readline()).decode().strip()


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "store.llm4tag"
    async with await EmbeddedStore.open(path, fake_embedder, embedding="fake", create=True) as store:
        await store.upsert_contents([content(number) for number in range(150)])
    return path


@pytest.fixture
async def writer(path: Path) -> AsyncIterator[WriterProcess]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fakes.store_worker", "serve", str(path)),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    writer = WriterProcess(process)
    assert await writer.answer() == "ready"
    yield writer
    assert process.stdin is not None
    process.stdin.close()
    assert await process.wait() == 0


async def test_a_reader_follows_another_process(path: Path, writer: WriterProcess) -> None:
    async with await EmbeddedStore.open(path, fake_embedder) as store:

        async def words(collection: Collection, text: str, **filters: object) -> list[str]:
            query = SearchQuery(text=text, alpha=0.0, limit=500, filters=Filters.model_validate(filters))
            return [hit.id for hit in await store.search(collection, query)]

        assert len(await words(Collection.CONTENTS, "common")) == 150
        await writer.does("content", 150, 160)
        assert await words(Collection.CONTENTS, "word155") == ["c155"]
        assert len(await words(Collection.CONTENTS, "common")) == 160
        await writer.does("delete", "c155")
        assert await words(Collection.CONTENTS, "word155") == []
        await writer.does("content", 155, 156)
        assert await words(Collection.CONTENTS, "word155") == ["c155"]
        assert await words(Collection.TAGS, "c++") == []
        await writer.does("tag", "cpp", "C++")
        assert await words(Collection.TAGS, "c++") == ["cpp"]
        assert await words(Collection.UNITS, "c++") == ["cpp#0"]
        assert list(await store.vocabulary()) == ["cpp"]
        assert await words(Collection.CONTENTS, "common", tagged_any={"cpp"}) == []
        await writer.does("assign", "c3", "cpp")
        assert await words(Collection.CONTENTS, "common", tagged_any={"cpp"}) == ["c3"]
        assert (await store.tag_counts())["cpp"] == TagCount(human=1)
        assert (await store.cooccurring(["cpp"], 5))["cpp"] == [("t3", 1)]
        await writer.does("passage", "p", "fresh")
        assert await words(Collection.PASSAGES, "fresh") == ["p"]


async def test_a_reader_follows_centre_and_vectors(path: Path, writer: WriterProcess) -> None:
    async with await EmbeddedStore.open(path, fake_embedder) as store:
        query = SearchQuery(vector=await store.embed_query("common word3"), alpha=1.0, limit=3)
        old = await store.search(Collection.CONTENTS, query)
        await writer.does("content", 150, 200)
        await writer.does("recentre")
        new = await store.search(Collection.CONTENTS, query)
        async with await EmbeddedStore.open(path, fake_embedder) as fresh:
            assert new == await fresh.search(Collection.CONTENTS, query)
        assert new[0].vector_score != old[0].vector_score
        await writer.does("reembed", "small-16")
        with pytest.raises(EmbeddingMismatchError, match="open it again"):
            await store.search(Collection.CONTENTS, query)


async def test_two_processes_write_at_once(path: Path, writer: WriterProcess) -> None:
    async with await EmbeddedStore.open(path, fake_embedder) as store:

        async def here() -> None:
            for number in range(1000, 1030):
                await store.upsert_contents([content(number)])

        async def there() -> None:
            for number in range(1020, 1050):
                await writer.does("content", number, number + 1)

        await asyncio.gather(here(), there())
        ids = [f"c{number}" for number in range(1000, 1050)]
        assert await store.get_contents(ids) == [content(number) for number in range(1000, 1050)]
        query = SearchQuery(text="common", alpha=0.0, limit=500)
        assert len(await store.search(Collection.CONTENTS, query)) == 200


TOTAL = 2600


def _ingest(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.store_worker", "ingest", str(path), "0", str(TOTAL)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def _kill_after(path: Path, batches: int) -> int:
    """Ingest until that number of batches was acknowledged, kill -9, and return the last acknowledged count."""
    with _ingest(path) as process:
        assert process.stdout is not None
        acknowledged = 0
        for _ in range(batches):
            acknowledged = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        # What was acknowledged between the last look and the kill counts too.
        rest = [int(line) for line in process.stdout.read().split("\n") if line.strip().isdigit()]
        process.wait()
        assert process.returncode == -signal.SIGKILL
    return max([acknowledged, *rest])


def _check_whole(path: Path, acknowledged: int) -> int:
    """Check that nothing is missing, nothing is half there; return how many contents there are."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = connection.execute("SELECT id, length(vector) FROM contents ORDER BY key").fetchall()
        stray = connection.execute(
            "SELECT count(*) FROM assignments WHERE content NOT IN (SELECT key FROM contents)"
        ).fetchone()
    assert [row[0] for row in rows] == [f"c{number}" for number in range(len(rows))]
    assert {row[1] for row in rows} <= {4 * 32}
    assert len(rows) >= acknowledged
    assert stray == (0,)
    return len(rows)


def _plain(contents: list[TaggedContent]) -> list[tuple[str, str, frozenset[tuple[str, Provenance]]]]:
    return [
        (item.id, item.text, frozenset((given.tag, given.provenance) for given in item.assignments))
        for item in contents
    ]


async def test_kill_9_in_the_middle_of_an_ingest_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.llm4tag"
    present = 0
    for batches in (1, 3, 6):
        present = _check_whole(path, await asyncio.to_thread(_kill_after, path, batches))
        async with await EmbeddedStore.open(path, fake_embedder) as store:
            ids = [f"c{number}" for number in range(TOTAL)]
            found = await store.get_contents(ids)
            assert _plain(found) == _plain([content(number) for number in range(present)])
    assert 0 < present < TOTAL
    with _ingest(path) as process:
        assert process.stdout is not None
        last = process.stdout.read().splitlines()[-1]
    assert last == f"done {TOTAL - present} 0 {present}"
    assert _check_whole(path, TOTAL) == TOTAL
    async with await EmbeddedStore.open(path, fake_embedder) as store:
        statistics = await store.statistics()
        assert statistics.contents == statistics.assignments.human == statistics.assignments.model == TOTAL
        assert statistics.centre > 0
        query = SearchQuery(text="common", alpha=0.0, limit=TOTAL + 1)
        assert len(await store.search(Collection.CONTENTS, query)) == TOTAL
