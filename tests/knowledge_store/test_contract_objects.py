"""The contract of every backend: tags, contents, passages, marks."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from llm4tag.knowledge_store import Collection, KnowledgeStore, SearchQuery, Writing
from llm4tag.schema import Assignment, Passage, Provenance, StoreError, Tag, TaggedContent
from tests.fakes.stores import StoreFactory

T0 = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def human(tag: str, minutes: int = 0, confidence: float = 1.0) -> Assignment:
    return Assignment(tag=tag, confidence=confidence, time=T0 + timedelta(minutes=minutes))


def model(tag: str, minutes: int = 0, confidence: float = 0.5) -> Assignment:
    return Assignment(
        tag=tag, provenance=Provenance.MODEL, confidence=confidence, time=T0 + timedelta(minutes=minutes)
    )


async def only(store: KnowledgeStore, content_id: str) -> TaggedContent:
    (content,) = await store.get_contents([content_id])
    return content


async def found(store: KnowledgeStore, collection: Collection, text: str) -> list[str]:
    return [hit.id for hit in await store.search(collection, SearchQuery(text=text, alpha=0.0))]


FULL = Tag(
    id="lang::c++", name="C++", description="A language", aliases=("cpp", "see plus plus"), parents=("lang",)
)


async def test_a_new_store_is_empty_and_says_what_it_is(store: KnowledgeStore) -> None:
    statistics = await store.statistics()
    assert (statistics.tags, statistics.contents, statistics.passages, statistics.centre) == (0, 0, 0, 0)
    assert statistics.embedding == store.embedding == "fake"
    assert statistics.location == store.location
    assert len(await store.vocabulary()) == 0
    for collection in Collection:
        assert await store.search(collection, SearchQuery(text="anything")) == []


async def test_tags_come_back_as_they_were_given(store: KnowledgeStore) -> None:
    group = Tag(id="lang", name="Languages", group=True)
    assert await store.upsert_tags([group, FULL]) == Writing(added=2)
    vocabulary = await store.vocabulary()
    assert list(vocabulary.values()) == [group, FULL]
    assert await store.upsert_tags([group, FULL]) == Writing(unchanged=2)
    changed = FULL.model_copy(update={"description": "Another", "aliases": ()})
    assert await store.upsert_tags([changed]) == Writing(changed=1)
    assert (await store.vocabulary())["lang::c++"] == changed
    assert (await store.vocabulary()).version != vocabulary.version


async def test_retired_tags_are_never_found_and_keep_their_history(store: KnowledgeStore) -> None:
    await store.upsert_tags([FULL, Tag(id="go", name="Go")])
    await store.upsert_contents([TaggedContent(id="1", text="x", assignments=(human("go"),))])
    assert await store.retire_tags(["go", "absent"]) == 1
    assert await store.retire_tags(["go"]) == 0
    assert (await store.vocabulary())["go"].retired
    assert await found(store, Collection.TAGS, "go") == await found(store, Collection.UNITS, "go") == []
    assert [item.tag for item in (await only(store, "1")).assignments] == ["go"]
    assert (await store.tag_counts())["go"].human == 1
    assert await store.upsert_tags([Tag(id="go", name="Go")]) == Writing(changed=1)
    assert await found(store, Collection.TAGS, "go") == ["go"]


async def test_deleting_a_tag_takes_its_units_and_assignments(store: KnowledgeStore) -> None:
    await store.upsert_tags([FULL, Tag(id="go", name="Go")])
    await store.upsert_contents([TaggedContent(id="1", text="x", assignments=(human("go"), human(FULL.id)))])
    assert await store.delete_tags([FULL.id, FULL.id, "absent"]) == 1
    assert list(await store.vocabulary()) == ["go"]
    assert await found(store, Collection.UNITS, "cpp") == []
    assert [item.tag for item in (await only(store, "1")).assignments] == ["go"]
    assert set(await store.tag_counts()) == {"go"}


async def test_contents_come_back_as_they_were_given(store: KnowledgeStore) -> None:
    awkward = TaggedContent(
        id="a/b c#'\";--✓",
        title="Ünïcode — 标题 🎉",
        text="line\nline\ttab 'quotes' \x00 end",
        assignments=(human("t1"), human("t2", confidence=0.25), model("t1")),
    )
    plain = TaggedContent(id="2", text="")
    assert await store.upsert_contents([awkward, plain]) == Writing(added=2)
    assert await store.get_contents(["2", "absent", awkward.id]) == [plain, awkward]
    assert await store.upsert_contents([awkward, plain]) == Writing(unchanged=2)


async def test_times_are_saved_to_the_microsecond_whatever_their_zone(store: KnowledgeStore) -> None:
    local = T0.astimezone(timezone(timedelta(hours=5, minutes=30)))
    await store.upsert_contents([TaggedContent(id="1", text="x", assignments=(Assignment(tag="t", time=local),))])
    assert (await only(store, "1")).assignments[0].time == T0


async def test_assignments_replace_those_of_their_provenance_and_leave_the_others(store: KnowledgeStore) -> None:
    await store.upsert_contents(
        [TaggedContent(id="1", text="x", assignments=(human("a"), human("b"), model("a"), model("c")))]
    )
    report = await store.upsert_contents([TaggedContent(id="1", text="x", assignments=(human("d"),))])
    assert report == Writing(changed=1)
    assert (await only(store, "1")).assignments == (human("d"), model("a"), model("c"))
    await store.upsert_contents([TaggedContent(id="1", text="x", assignments=(model("e"),))])
    assert (await only(store, "1")).assignments == (human("d"), model("e"))
    assert await store.upsert_contents([TaggedContent(id="1", text="x")]) == Writing(unchanged=1)
    await store.upsert_contents([TaggedContent(id="1", text="new text")])
    assert (await only(store, "1")).assignments == (human("d"), model("e"))


async def test_reading_a_file_without_times_twice_changes_nothing(store: KnowledgeStore) -> None:
    await store.upsert_contents([TaggedContent(id="1", text="x", assignments=(Assignment(tag="a"),))])
    first = await only(store, "1")
    again = [TaggedContent(id="1", text="x", assignments=(Assignment(tag="a"),))]
    assert await store.upsert_contents(again) == Writing(unchanged=1)
    assert await only(store, "1") == first
    later = [TaggedContent(id="1", text="x", assignments=(human("a", minutes=60),))]
    assert await store.upsert_contents(later) == Writing(changed=1)


async def test_of_two_objects_with_one_id_the_later_wins(store: KnowledgeStore) -> None:
    first = TaggedContent(id="1", text="first", assignments=(human("a"),))
    second = TaggedContent(id="1", text="second", assignments=(model("b"),))
    assert await store.upsert_contents([first, second]) == Writing(added=1, changed=1)
    assert await only(store, "1") == TaggedContent(id="1", text="second", assignments=(human("a"), model("b")))
    assert await found(store, Collection.CONTENTS, "first") == []


async def test_assign_adds_and_replaces_by_tag_and_provenance(store: KnowledgeStore) -> None:
    await store.upsert_contents([TaggedContent(id="1", text="x", assignments=(human("a"),))])
    await store.assign("1", [model("a", confidence=0.2), model("b"), model("a", minutes=1, confidence=0.9)])
    expected = (human("a"), model("a", minutes=1, confidence=0.9), model("b"))
    assert (await only(store, "1")).assignments == expected
    await store.assign("1", [human("a", minutes=5)])
    assert (await only(store, "1")).assignments == (human("a", minutes=5), *expected[1:])
    with pytest.raises(StoreError, match="'2'"):
        await store.assign("2", [human("a")])
    assert set(await store.assignments_of(["1", "2"])) == {"1"}


async def test_deleted_contents_are_gone_with_their_assignments(store: KnowledgeStore) -> None:
    contents = [TaggedContent(id=str(n), text=f"word{n}", assignments=(human("t"),)) for n in range(3)]
    await store.upsert_contents(contents)
    assert await found(store, Collection.CONTENTS, "word1") == ["1"]
    assert await store.delete_contents(["1", "absent"]) == 1
    assert await found(store, Collection.CONTENTS, "word1") == []
    assert await store.get_contents(["0", "1", "2"]) == [contents[0], contents[2]]
    assert (await store.tag_counts())["t"].human == 2
    assert await store.upsert_contents([contents[1]]) == Writing(added=1)
    assert await found(store, Collection.CONTENTS, "word1") == ["1"]


async def test_passages(store: KnowledgeStore) -> None:
    passages = [Passage(id=f"{n}", text=f"text {n}", title="title", source=f"file{n % 2}") for n in range(4)]
    assert await store.upsert_passages(passages) == Writing(added=4)
    assert await store.upsert_passages(passages) == Writing(unchanged=4)
    assert await store.get_passages(["3", "absent", "0"]) == [passages[3], passages[0]]
    assert await store.passage_ids("file1") == ["1", "3"]
    assert await store.passage_ids("absent") == []
    assert await store.delete_passages(await store.passage_ids("file1")) == 2
    assert await store.passage_ids("file1") == []
    moved = passages[0].model_copy(update={"source": "other"})
    assert await store.upsert_passages([moved]) == Writing(changed=1)
    assert await store.passage_ids("other") == ["0"]


async def test_marks(store: KnowledgeStore, open_stores: StoreFactory) -> None:
    assert await store.get_mark("file:a") is None
    await store.set_mark("file:a", "hash ✓")
    await store.set_mark("file:a", "newer")
    await store.set_mark("file:b", "saved")
    await store.set_mark("file:b", None)
    again = await open_stores(embedding=None, create=False)
    assert (await again.get_mark("file:a"), await again.get_mark("file:b")) == ("newer", None)


async def test_artifacts(store: KnowledgeStore, open_stores: StoreFactory) -> None:
    assert await store.get_artifact("fusion") is None
    large = bytes(range(256)) * 20_000
    await store.set_artifact("fusion", b"old")
    await store.set_artifact("fusion", large)
    await store.set_artifact("linear", b"")
    await store.set_artifact("gone", b"x")
    await store.set_artifact("gone", None)
    again = await open_stores(embedding=None, create=False)
    assert await again.get_artifact("fusion") == large
    assert await again.get_artifact("linear") == b""
    assert await again.get_artifact("gone") is None


async def test_nothing_is_embedded_twice(store: KnowledgeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded: list[str] = []
    from tests.fakes.embedder import FakeEmbedder

    original = FakeEmbedder.embed

    async def watched(self: FakeEmbedder, texts: list[str], *rest: object) -> object:
        embedded.extend(f"{rest[0]}:{text}" for text in texts)
        return await original(self, texts, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(FakeEmbedder, "embed", watched)
    contents = [TaggedContent(id=str(n), title="t", text=f"text {n}") for n in range(3)]
    await store.upsert_contents(contents)
    assert embedded == [f"passage:t\ntext {n}" for n in range(3)]
    embedded.clear()
    tagged = contents[0].model_copy(update={"assignments": (human("a"),)})
    changed = contents[1].model_copy(update={"text": "other"})
    assert await store.upsert_contents([tagged, changed, contents[2]]) == Writing(changed=2, unchanged=1)
    assert embedded == ["passage:t\nother"]
    embedded.clear()
    await store.upsert_tags([FULL])
    await store.upsert_tags([FULL.model_copy(update={"description": "another"})])
    assert embedded == ["query:C++"]


async def test_progress_counts_every_object_once(store: KnowledgeStore) -> None:
    contents = [TaggedContent(id=str(n), text=f"text {n}") for n in range(600)]
    steps: list[int] = []
    await store.upsert_contents(contents[:300], steps.append)
    assert sum(steps) == 300
    assert len(steps) > 1
    steps.clear()
    assert await store.upsert_contents(contents, steps.append) == Writing(added=300, unchanged=300)
    assert sum(steps) == 600


async def test_a_closed_store_says_so(store: KnowledgeStore) -> None:
    await store.close()
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.upsert_tags([FULL])
    with pytest.raises(StoreError, match="closed"):
        await store.search(Collection.TAGS, SearchQuery(text="x"))
