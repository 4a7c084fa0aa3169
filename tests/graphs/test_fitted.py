"""Tagging with what was fitted on history: the linear scorer and the fusion."""

from pathlib import Path as FilePath

import pytest

from llm4tag.calibration.recall_prior import shipped_prior
from llm4tag.graphs.state import TaggingInput
from llm4tag.graphs.tagging import graph
from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import (
    Assignment,
    C2C2TEvidence,
    C2TEvidence,
    LinearEvidence,
    Path,
    Provenance,
    Tag,
    TaggedContent,
    TagResult,
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
    assert result.origin.prior == shipped_prior(vectors=False).id
    assert result.origin.fit is not None
    assert result.origin.fitted_on == 300
    assert result.tags[0].id == "mail"
    assert result.tags[0].confidence > 0.8 > 0.5 > result.tags[1].confidence
    linear = [e for t in result.tags for e in t.evidence if isinstance(e, LinearEvidence)]
    assert max(e.raw for e in linear) == linear[0].raw
    assert linear[0].score == 1.0


async def test_before_a_fit_the_prior_ranks_and_the_result_says_so(tmp_path: FilePath) -> None:
    location = str(tmp_path / "unfitted.llm4tag")
    async with await open_store(location, embedding="none", create=True) as opened:
        await fill(opened)
    result = await tag(TEXT, location)
    assert result.origin.prior == shipped_prior(vectors=False).id
    assert (result.origin.fit, result.origin.fitted_on) == (None, None)
    assert result.tags[0].id == "mail"
    assert not any(isinstance(e, LinearEvidence) for t in result.tags for e in t.evidence)


async def test_there_is_one_round_unless_the_caller_says(fitted: str, store: str) -> None:
    for location in (fitted, store):
        one = await tag(TEXT, location, widen_below=1.0)
        assert one.rounds == 1
        assert not any(e.path is Path.T2T for t in one.tags for e in t.evidence)
    three = await tag(TEXT, fitted, widen_below=1.0, max_rounds=3)
    assert three.rounds == 3
    assert any(e.path is Path.T2T for t in three.tags for e in t.evidence)


@pytest.mark.parametrize("path", ["c2t", "c2c2t", "linear"])
async def test_each_path_can_be_switched_off(fitted: str, path: str) -> None:
    result = await tag(TEXT, fitted, without=[path])
    assert path not in {e.path.value for t in result.tags for e in t.evidence}
    assert result.origin.fit == (await tag(TEXT, fitted)).origin.fit
    assert result.tags[0].id == "mail", "the other paths are enough"
    assert 0 < result.tags[0].confidence < 1


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
    assert after.origin.fitted_on == 340
    assert not any("store fit" in note for note in after.notes)


async def test_a_tag_that_emerges_with_a_name_is_found_without_a_new_fit(fitted: str) -> None:
    text: TaggingInput = {"text": "reads news feeds in the atom syndication format from a new server"}
    async with await open_store(fitted) as opened:
        await opened.upsert_tags([Tag(id="feeds", name="News feeds", description="RSS and atom syndication")])
    found = {t.id: t for t in (await tag(text, fitted)).tags}
    assert any(isinstance(e, C2TEvidence) and e.verbatim for e in found["feeds"].evidence)
    # In this history names say nothing of tags, so that no name can lead; a tag that is hardly given is below.
    assert found["feeds"].confidence > found["rare"].confidence


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
