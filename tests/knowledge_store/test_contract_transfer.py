"""The contract of every backend: export, import, embedding again."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from llm4tag.cli.error_words import in_words
from llm4tag.knowledge_store import Artifact, Collection, Hit, KnowledgeStore, Record, SearchQuery, Writing
from llm4tag.schema import (
    Assignment,
    EmbeddingMismatchError,
    ModelError,
    Passage,
    Provenance,
    StoreError,
    Tag,
    TaggedContent,
)
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.stores import StoreFactory


async def exported(store: KnowledgeStore) -> list[Record]:
    return [record async for record in store.export()]


async def stream(records: Sequence[Record]) -> AsyncIterator[Record]:
    for record in records:
        # As a file of lines would hold it.
        yield Record.model_validate_json(record.model_dump_json(exclude_defaults=True))


async def fill(store: KnowledgeStore, contents: int = 130) -> None:
    await store.upsert_tags(
        [
            Tag(id="g", name="Group", group=True),
            Tag(id="a", name="C++", aliases=("cpp",), parents=("g",)),
            Tag(id="b", name="云计算", description="机房", retired=True),
        ]
    )
    await store.upsert_contents(
        [
            TaggedContent(
                id=f"c{n}",
                title=f"title {n % 9}",
                text=f"water word{n} cpp 云计算",
                assignments=(
                    Assignment(tag="a"),
                    Assignment(tag="b", provenance=Provenance.MODEL, confidence=0.5),
                ),
            )
            for n in range(contents)
        ]
    )
    await store.upsert_passages(
        [Passage(id="p", title="t", text="a passage", source="f"), Passage(id="q", text=" ")]
    )
    await store.set_mark("read:f", "hash ✓")
    await store.set_artifact("fusion", b"\x00weights\xff")


async def hits(store: KnowledgeStore) -> dict[Collection, list[Hit]]:
    vector = await store.embed_query("water word7 cpp")
    query = SearchQuery(text="water word7 cpp", vector=vector, limit=5)
    return {collection: await store.search(collection, query) for collection in Collection}


async def test_export_and_import_give_the_same_store(store: KnowledgeStore, open_stores: StoreFactory) -> None:
    await fill(store)
    # The frozen centre is no longer the mean.
    await store.upsert_contents([TaggedContent(id=f"d{n}", text=f"fire word{n}") for n in range(40)])
    records = await exported(store)
    assert records[0].embedding == "fake"
    assert records[0].centre
    assert len(records) == 1 + 3 + 170 + 2 + 2
    copy = await open_stores("copy")
    assert await copy.import_records(stream(records)) == Writing(added=175)
    assert await exported(copy) == records
    assert await hits(copy) == await hits(store)
    assert (await copy.get_mark("read:f"), await copy.get_artifact("fusion")) == ("hash ✓", b"\x00weights\xff")
    assert await copy.import_records(stream(records)) == Writing(unchanged=175)


async def test_import_into_another_model_embeds_again(store: KnowledgeStore, open_stores: StoreFactory) -> None:
    await fill(store, contents=5)
    records = await exported(store)
    other = await open_stores("other", embedding="small-16")
    await other.import_records(stream(records))
    (head, *objects) = await exported(other)
    assert head.embedding == "small-16"
    assert [item.content for item in objects] == [item.content for item in records[1:]]
    assert all(item.vector != old.vector for item, old in zip(objects, records[1:], strict=True) if old.vector)
    words = await open_stores("words", embedding="none")
    steps: list[int] = []
    await words.import_records(stream(records), steps.append)
    assert sum(steps) == 10
    assert all(record.vector is None for record in await exported(words))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (Record(), "record 2"),
        (Record(tag=Tag(id="a", name="a"), passage=Passage(id="p", text="t")), "2 objects"),
        (Record(tag=Tag(id="a", name="a"), vector="not base64!"), "vector"),
        (Record(artifact=Artifact(name="a", data="not base64!")), "artifact"),
        (Record(tag=Tag(id="a", name="a"), vector="AAAAAAA="), "vector"),
        (Record(tag=Tag(id="a", name="a"), vector="AADAfwAAwH8="), "finite"),
    ],
)
async def test_damaged_records_are_named(store: KnowledgeStore, record: Record, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        await store.import_records(stream([Record(embedding="fake"), record]))


async def test_vectors_of_another_length_are_refused(store: KnowledgeStore) -> None:
    await store.upsert_tags([Tag(id="a", name="a")])
    wrong = Record(tag=Tag(id="b", name="b"), vector="AAAAAAAAAAA=")
    with pytest.raises(StoreError, match="dimensions"):
        await store.import_records(stream([Record(embedding="fake"), wrong]))


async def test_export_is_of_one_moment(store: KnowledgeStore) -> None:
    await fill(store, contents=600)
    records = store.export()
    first = await anext(records)
    assert first.embedding == "fake"
    await store.delete_contents([f"c{n}" for n in range(600)])
    await store.upsert_tags([Tag(id="late", name="late")])
    rest = [record async for record in records]
    assert sum(record.content is not None for record in rest) == 600
    assert sum(record.tag is not None for record in rest) == 3


async def test_embedding_again(store: KnowledgeStore, open_stores: StoreFactory) -> None:
    await fill(store)
    fresh = await open_stores("fresh", embedding="small-16")
    await fill(fresh)
    steps: list[int] = []
    await store.reembed("small-16", steps.append)
    assert store.embedding == (await store.statistics()).embedding == "small-16"
    assert sum(steps) == 3 + 130 + 2
    mine, theirs = await hits(store), await hits(fresh)
    for collection in Collection:
        assert [hit.id for hit in mine[collection]] == [hit.id for hit in theirs[collection]]
    again = await open_stores(embedding=None, create=False)
    assert again.embedding == "small-16"
    await again.upsert_contents([TaggedContent(id="later", text="later")])
    assert len(await again.search(Collection.CONTENTS, SearchQuery(text="later", alpha=0.0))) == 1


async def test_embeddings_can_be_dropped_and_added(store: KnowledgeStore) -> None:
    await fill(store)
    before = await hits(store)
    await store.reembed("none")
    assert (store.embedding, (await store.statistics()).centre) == ("none", 0)
    assert await store.embed_query("water") is None
    assert all(record.vector is None for record in await exported(store))
    await store.upsert_contents([TaggedContent(id="c7", title="title 7", text="water word7 cpp 云计算")])
    await store.reembed("fake")
    after = await hits(store)
    for collection in Collection:
        assert [hit.id for hit in after[collection]] == [hit.id for hit in before[collection]]


async def test_what_is_written_during_embedding_again_is_embedded_too(
    store: KnowledgeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(store)
    original = FakeEmbedder.embed
    wrote = False

    async def slow(self: FakeEmbedder, texts: Sequence[str], *arguments: object) -> object:
        nonlocal wrote
        if self.name == "small-16" and "t\na passage" in texts and not wrote:
            # Tags and contents have been embedded by now.
            wrote = True
            await store.upsert_contents([TaggedContent(id="meanwhile", text="meanwhile")])
            await store.delete_contents(["c1"])
            # A reader still sees the old vectors.
            assert len((await hits(store))[Collection.CONTENTS]) == 5
            assert store.embedding == "fake"
        return await original(self, texts, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(FakeEmbedder, "embed", slow)
    await store.reembed("small-16")
    assert wrote
    contents = [record for record in await exported(store) if record.content is not None]
    assert len(contents) == 130
    assert all(record.vector is not None and len(record.vector) == 88 for record in contents)


async def test_a_failure_while_embedding_again_leaves_the_old(
    store: KnowledgeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(store)
    before = await exported(store)
    original = FakeEmbedder.embed

    async def failing(self: FakeEmbedder, *arguments: object) -> object:
        if len(self.embedded) > 100:
            raise ModelError("the model is down")
        return await original(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(FakeEmbedder, "embed", failing)
    with pytest.raises(ModelError, match="down"):
        await store.reembed("small-16")
    assert store.embedding == "fake"
    assert await exported(store) == before


async def test_a_store_open_elsewhere_notices_another_embedding(
    store: KnowledgeStore, open_stores: StoreFactory
) -> None:
    await fill(store, contents=5)
    other = await open_stores(embedding=None, create=False)
    await hits(other)
    await store.reembed("small-16")
    with pytest.raises(EmbeddingMismatchError, match="open it again"):
        await other.embed_query("water")
    with pytest.raises(EmbeddingMismatchError, match="small-16"):
        await other.upsert_contents([TaggedContent(id="x", text="x")])
    stale = SearchQuery(vector=np.ones(32, dtype=np.float32), alpha=1.0)
    with pytest.raises(EmbeddingMismatchError):
        await other.search(Collection.CONTENTS, stale)
    assert await other.search(Collection.CONTENTS, SearchQuery(text="water", alpha=0.0))


async def test_another_model_than_recorded_is_refused(store: KnowledgeStore, open_stores: StoreFactory) -> None:
    with pytest.raises(EmbeddingMismatchError) as raised:
        await open_stores(embedding="small-16", create=False)
    for part in ("fake", "small-16"):
        assert part in str(raised.value)
    assert "llm4tag store embed --embedding small-16 --store" in in_words(raised.value)
    with pytest.raises(EmbeddingMismatchError):
        await open_stores(embedding="none")
    assert (await open_stores(embedding="fake", create=False)).embedding == "fake"
    assert (await open_stores(embedding=None, create=True)).embedding == "fake"


def test_one_store_serves_several_event_loops(open_stores: StoreFactory) -> None:
    store = asyncio.run(open_stores("loops"))
    asyncio.run(fill(store, contents=3))
    first = asyncio.run(hits(store))

    async def many() -> list[dict[Collection, list[Hit]]]:
        return await asyncio.gather(*(hits(store) for _ in range(8)))

    assert asyncio.run(many()) == [first] * 8
    asyncio.run(store.reembed("small-16"))
    asyncio.run(store.close())


async def test_tasks_write_and_search_at_once(store: KnowledgeStore) -> None:
    async def write(task: int) -> Writing:
        total = Writing()
        for n in range(10):
            total += await store.upsert_contents(
                [TaggedContent(id=f"{task}-{n}-{m}", text=f"shared task{task} n{n}") for m in range(5)]
            )
            await store.assign(f"{task}-{n}-0", [Assignment(tag="t")])
        return total

    async def search() -> None:
        for _ in range(20):
            query = SearchQuery(text="shared", vector=await store.embed_query("shared"), limit=500)
            for hit in await store.search(Collection.CONTENTS, query):
                # During a write one leg may see a content before the other: a server runs them one by one.
                assert (hit.keyword_score, hit.vector_score) != (None, None)
                assert hit.id in expected

    expected = {f"{task}-{n}-{m}" for task in range(4) for n in range(10) for m in range(5)}
    reports = await asyncio.gather(*(write(task) for task in range(4)), search(), search())
    assert [report for report in reports if report is not None] == [Writing(added=50)] * 4
    assert (await store.statistics()).contents == 200
    assert (await store.tag_counts())["t"].human == 40
    query = SearchQuery(text="shared", alpha=0.0, limit=500)
    assert len(await store.search(Collection.CONTENTS, query)) == 200
