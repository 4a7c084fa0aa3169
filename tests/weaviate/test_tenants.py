"""Tenants: stores of the same name that have nothing in common."""

import pytest

from llm4tag.knowledge_store import Collection, SearchQuery
from llm4tag.schema import Assignment, StoreError, StoreNotFoundError, Tag, TaggedContent
from tests.fakes.stores import open_fake
from tests.fakes.weaviate_server import WeaviateServer

pytestmark = pytest.mark.weaviate


def contents(word: str) -> list[TaggedContent]:
    return [
        TaggedContent(id=str(n), text=f"{word} text {n}", assignments=(Assignment(tag="a"),)) for n in range(120)
    ]


async def test_tenants_see_nothing_of_each_other(weaviate: WeaviateServer) -> None:
    one, other = (weaviate.store("tenants", tenant=name) for name in ("one", "other"))
    async with (
        await open_fake(one, embedding="fake", create=True) as first,
        await open_fake(other, embedding="none", create=True) as second,
    ):
        await first.upsert_tags([Tag(id="a", name="water")])
        await second.upsert_tags([Tag(id="b", name="water")])
        await first.upsert_contents(contents("water"))
        await first.set_mark("m", "1")
        query = SearchQuery(text="water", alpha=0.0)
        assert [hit.id for hit in await first.search(Collection.TAGS, query)] == ["a"]
        assert [hit.id for hit in await second.search(Collection.TAGS, query)] == ["b"]
        assert await second.search(Collection.CONTENTS, query) == []
        assert await second.get_mark("m") is None
        assert (first.embedding, second.embedding) == ("fake", "none")
        # A new generation of one tenant's collections leaves the other's as they are.
        await first.reembed("small-16")
        await second.upsert_contents(contents("fire"))
        assert len(await first.search(Collection.CONTENTS, query)) == 10
        assert [hit.id for hit in await second.search(Collection.TAGS, query)] == ["b"]
        await second.reembed("fake")
        vector = await second.embed_query("fire text 7")
        best = (await second.search(Collection.CONTENTS, SearchQuery(vector=vector, alpha=1.0)))[0]
        assert best.id == "7"


async def test_a_tenant_that_is_not_there_is_an_absent_store(weaviate: WeaviateServer) -> None:
    async with await open_fake(weaviate.store("absent", tenant="one"), embedding="none", create=True):
        pass
    with pytest.raises(StoreNotFoundError):
        await open_fake(weaviate.store("absent", tenant="nobody"))


async def test_with_and_without_tenants_do_not_mix(weaviate: WeaviateServer) -> None:
    async with await open_fake(weaviate.store("mixed", tenant="one"), embedding="none", create=True):
        pass
    with pytest.raises(StoreError, match=r"made with tenants.*LLM4TAG_WEAVIATE_TENANT"):
        await open_fake(weaviate.store("mixed"))
    async with await open_fake(weaviate.store("plain"), embedding="none", create=True):
        pass
    with pytest.raises(StoreError, match=r"made without tenants"):
        await open_fake(weaviate.store("plain", tenant="one"))


async def test_consistency_and_replication_are_passed_on(weaviate: WeaviateServer) -> None:
    location = weaviate.store("consistent", consistency="ONE", replication=1)
    async with await open_fake(location, embedding="none", create=True) as store:
        await store.upsert_tags([Tag(id="a", name="water")])
        assert await store.search(Collection.TAGS, SearchQuery(text="water", alpha=0.0))
    config = weaviate.config("consistent")
    assert {each["replicationConfig"]["factor"] for each in config} == {1}
    contents_config = next(each for each in config if "_Contents_" in each["class"])
    assert contents_config["vectorConfig"]["search"]["vectorIndexConfig"]["distance"] == "cosine"
    assert contents_config["vectorConfig"]["raw"]["vectorIndexConfig"]["skip"] is True
