"""Tagging with what was fitted on history: the linear scorer and the fusion."""

from pathlib import Path as FilePath

import pytest

from llm4tag.graphs.state import TaggingInput
from llm4tag.graphs.tagging import graph
from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import (
    Assignment,
    C2C2TEvidence,
    LinearEvidence,
    Path,
    Provenance,
    Recipe,
    Tag,
    TaggedContent,
    TagResult,
    UsageError,
)
from llm4tag.schema.options import TagOptions
from llm4tag.training.recall_fit import fit_recall
from tests.fakes.history import contents, fill
from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.progress import quiet
from tests.fakes.scripted_llm import judged_label

TEXT: TaggingInput = {
    "id": "new",
    "text": "a new tool to sort each letter in the imap inbox before the sender asks",
}


@pytest.fixture
async def fitted(tmp_path: FilePath) -> str:
    """Return the location of a store with made-up history that recall was fitted on."""
    location = str(tmp_path / "fitted.llm4tag")
    async with await open_store(location, embedding="none", create=True) as opened:
        await fill(opened)
        await fit_recall(opened, quiet)
    return location


async def tag(content: TaggingInput, store: str, **options: object) -> TagResult:
    chosen = TagOptions.model_validate({"use_llm": False, "store": store, **options})
    return TagResult.model_validate(await graph.ainvoke(content, context=chosen))


async def test_the_fusion_ranks_and_the_result_says_so(fitted: str) -> None:
    result = await tag(TEXT, fitted)
    assert result.origin.recipe is Recipe.LEARNED
    assert result.origin.fit is not None
    assert result.tags[0].id == "mail"
    assert result.tags[0].confidence > 0.8 > 0.5 > result.tags[1].confidence
    linear = [e for t in result.tags for e in t.evidence if isinstance(e, LinearEvidence)]
    assert max(e.raw for e in linear) == linear[0].raw
    assert linear[0].score == 1.0


async def test_the_recipe_can_be_chosen(fitted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = await tag(TEXT, fitted, recipe="history")
    assert fixed.origin.recipe is Recipe.HISTORY
    assert fixed.tags[0].id == "mail"
    words = await tag({"text": "chess"}, fitted, recipe="vocabulary")
    assert words.origin.recipe is Recipe.VOCABULARY
    assert {e.path for t in words.tags for e in t.evidence} == {Path.C2T}
    monkeypatch.setenv("LLM4TAG_RECIPE", "history")
    assert (await tag(TEXT, fitted)).origin.recipe is Recipe.HISTORY


async def test_rounds_follow_the_recipe_unless_the_caller_says(fitted: str) -> None:
    assert (await tag(TEXT, fitted, widen_below=1.0)).rounds == 1
    assert (await tag(TEXT, fitted, widen_below=1.0, recipe="history")).rounds == 2
    assert (await tag(TEXT, fitted, widen_below=1.0, max_rounds=3)).rounds == 3


@pytest.mark.parametrize("path", ["c2t", "c2c2t", "linear"])
async def test_each_path_can_be_switched_off(fitted: str, path: str) -> None:
    result = await tag(TEXT, fitted, without=[path])
    assert result.origin.recipe is Recipe.HISTORY
    assert path not in {e.path.value for t in result.tags for e in t.evidence}
    assert (result.origin.fit is None) == (path == "linear")
    with pytest.raises(UsageError, match="switched off"):
        await tag(TEXT, fitted, without=[path], recipe="learned")


async def test_a_recipe_that_the_store_cannot_serve_is_refused(store: str) -> None:
    with pytest.raises(UsageError, match="fit recall on the store's history"):
        await tag(TEXT, store, recipe="learned")


async def test_says_when_history_has_outgrown_the_fit(fitted: str) -> None:
    assert not any("store fit" in note for note in (await tag(TEXT, fitted)).notes)
    async with await open_store(fitted) as opened:
        await opened.upsert_contents(contents(40, seed=2))
    assert any("on 300 tagged contents, and there are 340 now" in n for n in (await tag(TEXT, fitted)).notes)
    before = (await tag(TEXT, fitted)).origin.fit
    async with await open_store(fitted) as opened:
        await fit_recall(opened, quiet)
    after = await tag(TEXT, fitted)
    assert after.origin.fit != before, "a new fit is used at once"
    assert not any("store fit" in note for note in after.notes)


async def test_a_tag_that_emerges_with_a_name_is_found_without_a_new_fit(fitted: str) -> None:
    text: TaggingInput = {"text": "reads news feeds in the atom syndication format from a new server"}
    async with await open_store(fitted) as opened:
        await opened.upsert_tags([Tag(id="feeds", name="News feeds", description="RSS and atom syndication")])
    result = await tag(text, fitted)
    assert result.origin.recipe is Recipe.LEARNED
    assert "feeds" in [t.id for t in result.tags[:2]]


async def test_a_tag_that_emerges_with_one_example_is_found_without_a_new_fit(fitted: str) -> None:
    text: TaggingInput = {"text": "zeppelin mooring mast simulator"}
    async with await open_store(fitted) as opened:
        await opened.upsert_tags([Tag(id="airships", name="Lighter than air")])
        await opened.upsert_contents(
            [
                TaggedContent(
                    id="example",
                    text="plan a mooring mast for a zeppelin",
                    assignments=(Assignment(tag="airships"),),
                )
            ]
        )
    result = await tag(text, fitted)
    assert result.origin.recipe is Recipe.LEARNED
    assert result.tags[0].id == "airships"
    evidence = [e for e in result.tags[0].evidence if isinstance(e, C2C2TEvidence)]
    assert evidence[0].neighbours[0].id == "example"


async def test_tags_that_only_a_model_gave_never_raise_a_probability(fitted: str) -> None:
    before = {t.id: t.confidence for t in (await tag(TEXT, fitted)).tags}
    async with await open_store(fitted) as opened:
        for number in range(0, 300, 2):
            echo = [Assignment(tag=t, provenance=Provenance.MODEL) for t in ("chess", "web")]
            await opened.assign(f"0-{number}", echo)
    after = {t.id: t.confidence for t in (await tag(TEXT, fitted)).tags}
    for one, confidence in before.items():
        assert after[one] <= confidence + 1e-9, one


async def test_a_content_of_history_is_tagged_as_if_it_were_new(fitted: str) -> None:
    odd = TaggedContent(id="odd", text="gps street board rook", assignments=(Assignment(tag="rare"),))
    async with await open_store(fitted) as opened:
        await opened.upsert_contents([odd])
        await fit_recall(opened, quiet)
    own = {t.id: t.confidence for t in (await tag({"id": "odd", "text": odd.text}, fitted)).tags}
    other = {t.id: t.confidence for t in (await tag({"id": "other", "text": odd.text}, fitted)).tags}
    assert own["rare"] < 0.1 < other["rare"], "another content of the same words is tagged by it, itself is not"


async def test_tags_that_came_after_the_fit_are_judged_whatever_recall_thinks_of_them(
    fitted: str, fake: FakeOpenAI
) -> None:
    text: TaggingInput = {"text": "reads mail letters, news feeds in a syndication format, and podcasts"}
    asking = {"use_llm": True, "model": "openai/fake", "api_base": fake.api_base, "samples": 0, "cascade": True}
    nothing_new = {**asking, "judge_top": 0, "judge_unseen": 2}
    assert await judged(text, fitted, fake, **nothing_new) == []
    async with await open_store(fitted) as opened:
        described = "Syndication format"
        await opened.upsert_tags(
            [
                Tag(id="feeds", name="Feeds", description=described),
                Tag(id="podcasts", name="Podcasts", description=f"{described} of audio"),
                Tag(id="planets", name="Planets"),
            ]
        )
    assert await judged(text, fitted, fake, **nothing_new) == ["Feeds", "Podcasts"]
    assert await judged(text, fitted, fake, **{**nothing_new, "judge_unseen": 1}) == ["Feeds"]
    assert await judged(text, fitted, fake, **{**nothing_new, "judge_unseen": None}) == []
    assert await judged(text, fitted, fake, **nothing_new, recipe="history") == []
    known = await judged(text, fitted, fake, **{**asking, "judge_top": 20, "cascade": False, "judge_unseen": 2})
    assert sorted(set(known)) == sorted(known), "none is asked about twice"
    assert {"Feeds", "Podcasts", "Mail"} <= set(known)


async def judged(text: TaggingInput, store: str, fake: FakeOpenAI, **options: object) -> list[str]:
    """Return the tags that the judge was asked about."""
    fake.chat_requests.clear()
    result = await tag(text, store, answer_cache=False, **options)
    assert result.degraded is None
    asked = [label for request in fake.chat_requests if (label := judged_label(request))]
    names = {one.name for one in result.tags if one.signals.p_yes is not None}
    assert names == set(asked)
    return asked
