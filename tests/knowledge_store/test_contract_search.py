"""The contract of every backend: hybrid search."""

import numpy as np
import pytest

from llm4tag.knowledge_store import Collection, Filters, Hit, KnowledgeStore, SearchQuery, UnitHit
from llm4tag.schema import Assignment, Llm4tagError, Passage, Provenance, Tag, TaggedContent
from tests.fakes.stores import StoreFactory

TAGS = [
    Tag(id="langs", name="Programming languages", group=True),
    Tag(id="low", name="Low level", group=True, parents=("langs",)),
    Tag(id="c", name="C", parents=("low",)),
    Tag(id="cpp", name="C++", aliases=("see plus plus",), description="objects and templates", parents=("low",)),
    Tag(id="csharp", name="C#", parents=("langs",)),
    Tag(id="net", name=".NET"),
    Tag(id="node", name="Node.js", aliases=("nodejs",)),
    Tag(id="admin", name="admin::configuring"),
    Tag(id="cloud", name="云计算", aliases=("云端运算",)),
    Tag(id="old", name="Fortran", retired=True),
]


def words(text: str, **settings: object) -> SearchQuery:
    return SearchQuery.model_validate({"text": text, "alpha": 0.0, **settings})


async def ids(store: KnowledgeStore, collection: Collection, query: SearchQuery) -> list[str]:
    return [hit.id for hit in await store.search(collection, query)]


@pytest.fixture
async def filled(store: KnowledgeStore) -> KnowledgeStore:
    await store.upsert_tags(TAGS)
    await store.upsert_contents(
        [
            TaggedContent(
                id="d1", title="Boilers", text="Hot water for the house", assignments=(Assignment(tag="c"),)
            ),
            TaggedContent(id="d2", title="Rivers", text="Cold water from the hills, water everywhere"),
            TaggedContent(
                id="d3",
                title="",
                text="Software in C++ and node.js",
                assignments=(Assignment(tag="cpp"), Assignment(tag="node", provenance=Provenance.MODEL)),
            ),
            TaggedContent(id="d4", title="中文", text="云计算正在改变世界"),
        ]
    )
    await store.upsert_passages([Passage(id="p1", text="Boilers heat water", source="s")])
    return store


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("c++", "cpp"),
        ("I write C++, mostly", "cpp"),
        ("C#", "csharp"),
        ("the .net runtime", "net"),
        ("NODE.JS", "node"),
        ("node js", "node"),
        ("admin::configuring", "admin"),
        ("configuring", "admin"),
        ("我们使用云计算技术", "cloud"),
        ("templates", "cpp"),
    ],
)
async def test_names_are_found_whatever_their_script_and_punctuation(
    filled: KnowledgeStore, query: str, best: str
) -> None:
    assert (await ids(filled, Collection.TAGS, words(query)))[0] == best


async def test_units_are_the_name_and_each_alias(filled: KnowledgeStore) -> None:
    (hit,) = await filled.search(Collection.UNITS, words("see plus"))
    assert isinstance(hit, UnitHit)
    assert (hit.tag, hit.text, hit.kind) == ("cpp", "see plus plus", "alias")
    best = (await filled.search(Collection.UNITS, words("c++ c++")))[0]
    assert isinstance(best, UnitHit)
    assert (best.tag, best.text, best.kind) == ("cpp", "C++", "name")
    vector = await filled.embed_query("C++")
    assert await filled.search(Collection.UNITS, SearchQuery(text="see", vector=vector, alpha=1.0)) == (
        await filled.search(Collection.UNITS, words("see"))
    )


async def test_groups_and_retired_tags_never_appear(filled: KnowledgeStore) -> None:
    vector = await filled.embed_query("Programming languages Fortran")
    query = SearchQuery(text="Programming languages Fortran low level", vector=vector, limit=100)
    assert set(await ids(filled, Collection.TAGS, query)) == {tag.id for tag in TAGS if tag.assignable}
    assert await ids(filled, Collection.UNITS, query) == []


async def test_chinese_words_find_contents(filled: KnowledgeStore) -> None:
    assert await ids(filled, Collection.CONTENTS, words("云计算")) == ["d4"]
    assert await ids(filled, Collection.CONTENTS, words("世界")) == ["d4"]


async def test_empty_queries_find_nothing_by_words(filled: KnowledgeStore) -> None:
    for text in ("", "   ", "!?…", "wordthatnobodyuses"):
        assert await filled.search(Collection.CONTENTS, words(text)) == []


async def test_alpha_0_runs_words_alone(filled: KnowledgeStore) -> None:
    vector = await filled.embed_query("water")
    hits = await filled.search(Collection.CONTENTS, SearchQuery(text="water", vector=vector, alpha=0.0))
    assert [hit.id for hit in hits] == ["d2", "d1"]
    assert [hit.score for hit in hits] == [1.0, 0.0]
    for hit in hits:
        assert hit.keyword_score is not None
        assert hit.vector_score is None
        assert (hit.keyword_part, hit.vector_part) == (hit.score, 0.0)


async def test_alpha_1_runs_the_vector_alone(filled: KnowledgeStore) -> None:
    vector = await filled.embed_query("Boilers\nHot water for the house")
    hits = await filled.search(Collection.CONTENTS, SearchQuery(text="river", vector=vector, alpha=1.0))
    assert len(hits) == 4
    assert (hits[0].id, hits[0].score, hits[-1].score) == ("d1", 1.0, 0.0)
    assert hits[0].vector_score == pytest.approx(1.0, abs=1e-6)
    assert all(hit.keyword_score is None and hit.vector_part == hit.score for hit in hits)


async def test_without_a_vector_words_run_alone_whatever_alpha(filled: KnowledgeStore) -> None:
    assert await filled.search(Collection.CONTENTS, SearchQuery(text="water", alpha=0.7)) == (
        await filled.search(Collection.CONTENTS, words("water"))
    )


@pytest.mark.parametrize("fusion", ["relative", "ranked"])
async def test_parts_add_up_to_the_score(filled: KnowledgeStore, fusion: str) -> None:
    vector = await filled.embed_query("hot water")
    query = SearchQuery.model_validate({"text": "hot water", "vector": vector, "alpha": 0.3, "fusion": fusion})
    hits = await filled.search(Collection.CONTENTS, query)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert len(hits) == 4
    for hit in hits:
        assert hit.score == pytest.approx(hit.keyword_part + hit.vector_part)
    by_word = sorted(
        (hit for hit in hits if hit.keyword_score is not None), key=lambda hit: -(hit.keyword_score or 0)
    )
    assert [hit.id for hit in by_word] == ["d1", "d2"]
    expected = [0.7, 0.0] if fusion == "relative" else [0.7 / 60, 0.7 / 61]
    assert [hit.keyword_part for hit in by_word] == pytest.approx(expected)


async def test_properties_and_boosts(filled: KnowledgeStore) -> None:
    text = "boilers water"
    title = await filled.search(Collection.CONTENTS, words(text, properties={"title": 1.0}))
    body = await filled.search(Collection.CONTENTS, words(text, properties={"text": 1.0}))
    assert [hit.id for hit in title] == ["d1"]
    assert [hit.id for hit in body] == ["d2", "d1"]
    boosted = await filled.search(Collection.CONTENTS, words(text, properties={"title": 3.0, "text": 1.0}))
    raw = {hit.id: hit.keyword_score or 0.0 for hit in body}
    assert boosted[0].id == "d1"
    assert boosted[0].keyword_score == pytest.approx(3 * (title[0].keyword_score or 0.0) + raw["d1"])
    with pytest.raises(Llm4tagError, match="headline"):
        await filled.search(Collection.CONTENTS, words(text, properties={"headline": 1.0}))


async def test_repeated_query_words_boost(filled: KnowledgeStore) -> None:
    once = await filled.search(Collection.CONTENTS, words("cold"))
    twice = await filled.search(Collection.CONTENTS, words("cold COLD"))
    assert twice[0].keyword_score == pytest.approx(2 * (once[0].keyword_score or 0.0))


async def test_filters(filled: KnowledgeStore) -> None:
    vector = await filled.embed_query("water")

    async def with_filters(collection: Collection, **conditions: object) -> set[str]:
        query = SearchQuery(text="water c", vector=vector, filters=Filters.model_validate(conditions), limit=50)
        return set(await ids(filled, collection, query))

    assert await with_filters(Collection.CONTENTS, ids={"d1", "d4", "absent"}) == {"d1", "d4"}
    assert await with_filters(Collection.CONTENTS, ids=set()) == set()
    assert await with_filters(Collection.CONTENTS, exclude_ids={"d1", "absent"}) == {"d2", "d3", "d4"}
    assert await with_filters(Collection.CONTENTS, tagged_any={"c", "node"}) == {"d1", "d3"}
    assert await with_filters(Collection.CONTENTS, tagged_any=set()) == set()
    assert await with_filters(Collection.CONTENTS, tagged_by="human") == {"d1", "d3"}
    assert await with_filters(Collection.CONTENTS, tagged_by="model") == {"d3"}
    assert await with_filters(Collection.CONTENTS, tagged_by="human", exclude_ids={"d3"}) == {"d1"}
    assert await with_filters(Collection.TAGS, within="langs") == {"c", "cpp", "csharp"}
    assert await with_filters(Collection.TAGS, within="low", exclude_ids={"c"}) == {"cpp"}
    assert await with_filters(Collection.UNITS, ids={"cpp"}) == {"cpp#0"}


async def test_filters_follow_writes(filled: KnowledgeStore) -> None:
    human = words("water", filters=Filters(tagged_by=Provenance.HUMAN))
    below = words("c++ fresh", filters=Filters(within="low"))
    assert await ids(filled, Collection.CONTENTS, human) == ["d1"]
    assert await ids(filled, Collection.TAGS, below) == ["cpp", "c"]
    await filled.assign("d2", [Assignment(tag="c")])
    await filled.upsert_tags([Tag(id="new", name="fresh", parents=("low",)), Tag(id="c", name="C")])
    assert await ids(filled, Collection.CONTENTS, human) == ["d2", "d1"]
    assert await ids(filled, Collection.TAGS, below) == ["cpp", "new"]


async def test_filters_apply_before_ranking(store: KnowledgeStore) -> None:
    await store.upsert_contents([TaggedContent(id=f"{n:03}", text="same words here") for n in range(300)])
    vector = await store.embed_query("same words here")
    only = Filters(ids=frozenset({"250", "299"}))
    for alpha in (0.0, 0.5, 1.0):
        query = SearchQuery(text="same words", vector=vector, alpha=alpha, filters=only, limit=5)
        assert set(await ids(store, Collection.CONTENTS, query)) == {"250", "299"}


async def test_unfit_filters_are_refused(filled: KnowledgeStore) -> None:
    for collection, filters in (
        (Collection.CONTENTS, Filters(within="langs")),
        (Collection.TAGS, Filters(tagged_any=frozenset({"c"}))),
        (Collection.PASSAGES, Filters(tagged_by=Provenance.HUMAN)),
        (Collection.TAGS, Filters(within="nowhere")),
    ):
        with pytest.raises(Llm4tagError):
            await filled.search(collection, words("water", filters=filters))


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
async def test_limits(store: KnowledgeStore, alpha: float) -> None:
    await store.upsert_contents([TaggedContent(id=f"{n:03}", text=f"common word{n}") for n in range(250)])
    vector = await store.embed_query("common word7")

    async def search(limit: int) -> list[Hit]:
        query = SearchQuery(text="common word7", vector=vector, alpha=alpha, limit=limit)
        return await store.search(Collection.CONTENTS, query)

    assert len(await search(1)) == 1
    assert len(await search(250)) == 250
    assert (await search(3)) == (await search(100))[:3]


async def test_several_queries_at_once_find_what_each_finds(filled: KnowledgeStore) -> None:
    vector = await filled.embed_query("water")
    queries = [words("water"), SearchQuery(text="water", vector=vector), words(""), words("c", limit=1)]
    together = await filled.search_many(Collection.CONTENTS, queries)
    apart = [await filled.search(Collection.CONTENTS, query) for query in queries]
    assert [[hit.id for hit in hits] for hits in together] == [[hit.id for hit in hits] for hits in apart]
    assert await filled.search_many(Collection.CONTENTS, []) == []


async def test_query_vectors_match_those_stored(filled: KnowledgeStore) -> None:
    texts = ["Boilers\nHot water for the house", "anything"]
    vectors = await filled.embed_queries(texts)
    first = await filled.embed_query(texts[0])
    assert vectors is not None
    assert first is not None
    assert np.allclose(vectors[0], first)
    hits = await filled.search(Collection.CONTENTS, SearchQuery(vector=first, alpha=1.0, limit=1))
    assert hits[0].id == "d1"
    with pytest.raises(Llm4tagError, match="dimensions"):
        await filled.search(Collection.CONTENTS, SearchQuery(vector=np.ones(7, dtype=np.float32), alpha=1.0))


async def test_a_store_without_embeddings_searches_by_words(open_stores: StoreFactory) -> None:
    store = await open_stores(embedding="none")
    await store.upsert_contents([TaggedContent(id="1", text="water")])
    assert store.embedding == "none"
    assert await store.embed_query("water") is None
    assert await store.embed_queries(["water"]) is None
    query = SearchQuery(text="water", vector=np.ones(32, dtype=np.float32), alpha=0.9)
    (hit,) = await store.search(Collection.CONTENTS, query)
    assert (hit.id, hit.score, hit.vector_score) == ("1", 1.0, None)


async def test_contents_are_centred_once_there_are_enough(store: KnowledgeStore) -> None:
    contents = [TaggedContent(id=str(n), text=f"one{n} two{n % 7} three{n % 3}") for n in range(260)]
    vector = await store.embed_query("one1 two1 three1")
    query = SearchQuery(vector=vector, alpha=1.0, limit=99)

    async def lowest() -> float:
        return (await store.search(Collection.CONTENTS, query))[-1].vector_score or 0.0

    await store.upsert_contents(contents[:99])
    assert (await store.statistics()).centre == 0
    assert await lowest() > 0.3
    await store.upsert_contents(contents[:120])
    assert (await store.statistics()).centre == 1
    assert await lowest() < 0.1
    await store.upsert_contents(contents)
    # Twice as many as when it was computed, but of the same kind: the mean has not moved.
    assert (await store.statistics()).centre == 1
    assert await store.recentre() == 2
    hits = await store.search(Collection.CONTENTS, query)
    assert hits[0].id == "1"
    assert hits[0].vector_score == pytest.approx(1.0, abs=1e-5)


async def test_the_centre_follows_contents_of_another_kind(store: KnowledgeStore) -> None:
    await store.upsert_contents([TaggedContent(id=f"a{n}", text="winter ice snow") for n in range(100)])
    assert (await store.statistics()).centre == 1
    await store.upsert_contents([TaggedContent(id=f"b{n}", text="boats sail harbour") for n in range(99)])
    assert (await store.statistics()).centre == 1
    await store.upsert_contents([TaggedContent(id="b99", text="boats sail harbour")])
    assert (await store.statistics()).centre == 2
