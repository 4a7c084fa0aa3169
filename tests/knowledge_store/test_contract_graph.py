"""The contract of every backend: which contents carry which tags, and the numbers of its objects."""

from datetime import UTC, datetime, timedelta

import pytest

from llm4tag.knowledge_store import KnowledgeStore, TagCount
from llm4tag.schema import Assignment, Passage, Provenance, Tag, TaggedContent

T0 = datetime(2026, 5, 1, tzinfo=UTC)


def content(content_id: str, human: str = "", model: str = "", days: int = 0) -> TaggedContent:
    """One letter a tag."""
    time = T0 + timedelta(days=days)
    return TaggedContent(
        id=content_id,
        text=f"text {content_id}",
        assignments=(
            *(Assignment(tag=tag, time=time) for tag in human),
            *(Assignment(tag=tag, time=time, provenance=Provenance.MODEL, confidence=0.5) for tag in model),
        ),
    )


@pytest.fixture
async def filled(store: KnowledgeStore) -> KnowledgeStore:
    await store.upsert_tags(
        [
            Tag(id="a", name="A", aliases=("one", "two")),
            Tag(id="b", name="B"),
            Tag(id="g", name="G", group=True),
            Tag(id="r", name="R", aliases=("three",), retired=True),
        ]
    )
    await store.upsert_contents(
        [
            content("1", human="ab", days=3),
            content("2", human="abc", model="a", days=1),
            content("3", human="ac", days=2),
            content("4", model="ab", days=9),
            content("5", human="r"),
            content("6"),
        ]
    )
    await store.upsert_passages([Passage(id="p", text="passage")])
    return store


async def test_counts_follow_every_write(filled: KnowledgeStore) -> None:
    counts = await filled.tag_counts()
    assert dict(counts) == {
        "a": TagCount(human=3, model=2),
        "b": TagCount(human=2, model=1),
        "c": TagCount(human=2),
        "r": TagCount(human=1),
    }
    await filled.upsert_passages([Passage(id="q", text="passage")])
    assert await filled.tag_counts() == counts
    await filled.assign("6", [Assignment(tag="a")])
    assert (await filled.tag_counts())["a"] == TagCount(human=4, model=2)
    await filled.delete_contents(["6"])
    assert await filled.tag_counts() == counts


async def test_assignments_of(filled: KnowledgeStore) -> None:
    found = await filled.assignments_of(["2", "6", "absent"])
    assert set(found) == {"2"}
    assert [(item.tag, item.provenance.value) for item in found["2"]] == [
        ("a", "human"),
        ("b", "human"),
        ("c", "human"),
        ("a", "model"),
    ]
    assert await filled.assignments_of([]) == {}


async def test_many_ids_at_once(store: KnowledgeStore) -> None:
    contents = [content(f"{n:04}", human="a") for n in range(1200)]
    await store.upsert_contents(contents)
    ids = [item.id for item in reversed(contents)]
    assert [item.id for item in await store.get_contents(ids)] == ids
    assert len(await store.assignments_of(ids)) == 1200
    assert await store.delete_contents(ids[:1100]) == 1100


async def test_contents_tagged_newest_first(filled: KnowledgeStore) -> None:
    assert await filled.contents_tagged("a", 10) == ["4", "1", "3", "2"]
    assert await filled.contents_tagged("a", 2) == ["4", "1"]
    assert await filled.contents_tagged("a", 10, Provenance.HUMAN) == ["1", "3", "2"]
    assert await filled.contents_tagged("a", 10, Provenance.MODEL) == ["4", "2"]
    assert await filled.contents_tagged("absent", 10) == []


async def test_cooccurring_counts_human_assignments(filled: KnowledgeStore) -> None:
    assert await filled.cooccurring(["a", "b", "absent"], 10) == {
        "a": [("b", 2), ("c", 2)],
        "b": [("a", 2), ("c", 1)],
        "absent": [],
    }
    assert await filled.cooccurring(["a"], 1) == {"a": [("b", 2)]}
    await filled.assign("6", [Assignment(tag="a"), Assignment(tag="c")])
    assert await filled.cooccurring(["a"], 1) == {"a": [("c", 3)]}


async def test_statistics(filled: KnowledgeStore) -> None:
    statistics = await filled.statistics()
    assert statistics.vocabulary == (await filled.vocabulary()).version
    assert (statistics.tags, statistics.groups, statistics.retired, statistics.units) == (2, 1, 1, 4)
    assert (statistics.contents, statistics.tagged_contents, statistics.passages) == (6, 3, 1)
    assert statistics.assignments == TagCount(human=8, model=3)
    assert statistics.bytes is None or statistics.bytes > 0
    assert statistics.engine.split()[0] in {"SQLite", "Weaviate"}
