"""The Python interface: a Tagger with and without an event loop."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from llm4tag import Tagger
from llm4tag.graphs.context import close_shared_runtimes, shared_runtime
from llm4tag.graphs.tagging import graph
from llm4tag.knowledge_store.stores import open_store
from llm4tag.result_files import STORE_HOLDS
from llm4tag.schema import (
    Assignment,
    Content,
    Provenance,
    StoreError,
    StoreNotFoundError,
    Tag,
    TaggedContent,
    UsageError,
)
from llm4tag.schema.options import TagOptions, contents_at_once


@pytest.fixture
def location(tmp_path: Path) -> str:
    async def fill() -> str:
        where = str(tmp_path / "store.llm4tag")
        async with await open_store(where, embedding="none", create=True) as store:
            await store.upsert_tags([Tag(id="mail", name="Mail"), Tag(id="game", name="Games")])
            history = TaggedContent(id="1", text="reads letters with imap", assignments=(Assignment(tag="mail"),))
            await store.upsert_contents([history])
        return where

    return asyncio.run(fill())


def test_tags_without_an_event_loop_whatever_form_the_content_has(location: str) -> None:
    with Tagger(location, use_llm=False) as tagger:
        one = tagger.tag("an imap client for mail")
        assert one.tags[0].id == "mail"
        assert one.id.startswith("content:")
        assert tagger.tag(Content(id="c", text="an imap client for mail")).tags == one.tags
        many = tagger.tag_many([{"id": "a", "text": "games"}, "mail", {"id": "b", "text": "x", "title": "Games"}])
        assert [result.tags[0].id for result in many] == ["game", "mail", "game"]
        assert [result.id for result in many][::2] == ["a", "b"]


async def test_tags_in_an_event_loop_and_reopens_after_closing(location: str) -> None:
    tagger = Tagger(location, use_llm=False)
    assert (await tagger.atag("mail")).tags[0].id == "mail"
    await tagger.aclose()
    assert len(await tagger.atag_many(["mail", "games"], concurrency=1)) == 2
    await tagger.aclose()
    await tagger.aclose()


def test_loops_follow_one_another(location: str) -> None:
    async def once() -> str:
        async with Tagger(location, use_llm=False) as tagger:
            return (await tagger.atag("games")).tags[0].id

    assert [asyncio.run(once()) for _ in range(2)] == ["game", "game"]


async def test_fingerprint_tells_what_results_depend_on(location: str) -> None:
    async with Tagger(location, use_llm=False) as tagger:
        before = await tagger.fingerprint()
        assert before["model"] is None
        async with await open_store(location) as store:
            await store.upsert_tags([Tag(id="new", name="New")])
        after = await tagger.fingerprint()
    assert {name for name in before if before[name] != after[name]} == {"vocabulary"}
    async with Tagger(location, use_llm=False) as tagger:
        async with await open_store(location) as store:
            await store.assign("1", [Assignment(tag="game", provenance=Provenance.MODEL)])
        accepted = await tagger.fingerprint()
        assert {name for name in after if after[name] != accepted[name]} == {STORE_HOLDS}
    async with Tagger(location, use_llm=False, within=None, top=3) as other:
        assert (await other.fingerprint())["top"] == "3"


async def test_recall_alone_asks_nothing(location: str) -> None:
    async with Tagger(location, use_llm=False) as tagger:
        estimate = await tagger.estimate([Content(id="c", text="mail")])
    assert (estimate.llm_calls, estimate.cost) == (0, 0.0)


async def test_an_estimate_counts_every_question(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM4TAG_API_KEY", "none")
    tagger = Tagger(location, "gpt-4o-mini", samples=2, judge_top=5, generate_top=5, max_rounds=2)
    async with tagger:
        estimate = await tagger.estimate([Content(id="c", text="mail")] * 10)
    assert estimate.llm_calls == 10 * (2 * (2 + 5) + 1)
    assert estimate.cost is not None
    assert 0 < estimate.cost < 1


@pytest.mark.parametrize("wrong", [{"top": 0}, {"max_rounds": 99}, {"accept_at": 2}, {"review_at": 0.6}])
def test_wrong_options_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Tagger("store", **wrong)
    with pytest.raises(TypeError, match="tops"):
        Tagger("store", tops=3)  # type: ignore[call-arg]


async def test_wrong_contents_and_stores_say_what_to_do(location: str, tmp_path: Path) -> None:
    async with Tagger(location, use_llm=False) as tagger:
        with pytest.raises(UsageError, match="'tekst'"):
            await tagger.atag({"tekst": "mail"})
        with pytest.raises(UsageError, match="no 'text'"):
            await tagger.atag({"id": "1"})
    with pytest.raises(StoreNotFoundError, match="ingest"):
        await Tagger(tmp_path / "none", use_llm=False).atag("mail")


def test_contents_at_once_follow_where_the_work_is_done() -> None:
    assert contents_at_once(use_llm=True, local=True) == 1
    assert contents_at_once(use_llm=True, local=False) == 8
    assert contents_at_once(use_llm=False, local=True) == 2


async def test_a_tagger_that_closes_leaves_the_others_running(location: str) -> None:
    """Each owns what it opened: the other's running calls go on, and so do its later ones."""
    one, other = Tagger(location, use_llm=False), Tagger(location, use_llm=False)
    assert (await one.runtime()).store is not (await other.runtime()).store
    running = asyncio.ensure_future(other.atag_many(["mail"] * 20))
    await asyncio.sleep(0)
    await one.aclose()
    assert len(await running) == 20
    assert (await other.atag("mail")).tags
    await other.aclose()
    await other.aclose()


async def test_a_closed_tagger_opens_again(location: str) -> None:
    tagger = Tagger(location, use_llm=False)
    before = await tagger.atag("mail")
    await tagger.aclose()
    assert (await tagger.atag("mail")).tags == before.tags
    await tagger.aclose()


async def test_a_graph_with_options_alone_is_not_closed_by_a_tagger(location: str) -> None:
    options = TagOptions(store=location, use_llm=False)
    before = await graph.ainvoke({"text": "mail"}, context=options)
    async with Tagger(location, use_llm=False) as tagger:
        await tagger.atag("mail")
    assert (await graph.ainvoke({"text": "mail"}, context=options))["tags"] == before["tags"]
    await close_shared_runtimes()


async def test_closing_shared_runtimes_closes_their_stores(location: str) -> None:
    runtime = await shared_runtime(TagOptions(store=location, use_llm=False))
    assert await shared_runtime(TagOptions(store=location, use_llm=False, top=3)) is not runtime
    await close_shared_runtimes()
    with pytest.raises(StoreError, match="closed"):
        await runtime.store.vocabulary()
