"""The graph without an LLM."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from llm4tag.graphs.state import TaggingInput
from llm4tag.graphs.tagging import graph
from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import (
    Assignment,
    C2C2TEvidence,
    C2TEvidence,
    Provenance,
    Tag,
    TaggedContent,
    TagResult,
    UsageError,
)
from llm4tag.schema.options import TagOptions

MAIL: TaggingInput = {"id": "new", "text": "a mail reader with imap for the terminal"}


async def tag(content: TaggingInput, **options: object) -> TagResult:
    chosen = TagOptions.model_validate({"use_llm": False, "max_rounds": 1, **options})
    return TagResult.model_validate(await graph.ainvoke(content, context=chosen))


async def test_tags_from_recall_alone_and_says_so(store: str) -> None:
    result = await tag(MAIL, store=store)
    assert [tag.id for tag in result.tags[:2]] == ["mail", "client"]
    assert result.degraded is None
    assert any("no LLM" in note for note in result.notes)
    assert result.origin.model is None
    assert result.usage.llm_calls == 0
    assert {tag.calibration.status for tag in result.tags} == {"estimated"}


async def test_every_tag_carries_its_evidence(store: str) -> None:
    result = await tag(MAIL, store=store)
    paths = {evidence.path.value for evidence in result.tags[0].evidence}
    assert paths == {"c2t", "c2c2t"}
    for evidence in result.tags[0].evidence:
        if isinstance(evidence, C2C2TEvidence):
            assert evidence.neighbours[0].id == "h1"
            assert evidence.human_support == 3
        if isinstance(evidence, C2TEvidence):
            assert evidence.verbatim
            assert evidence.unit == "Mail"


async def test_confidences_are_sorted_numbers_and_groups_and_retired_tags_never_come(store: str) -> None:
    result = await tag({"text": "secret topic role mail server web chess games client"}, store=store)
    confidences = [tag.confidence for tag in result.tags]
    assert confidences == sorted(confidences, reverse=True)
    assert all(0 <= confidence <= 1 for confidence in confidences)
    assert {tag.id for tag in result.tags} == {"mail", "chess", "games", "web", "server", "client"}


async def test_top_bounds_and_within_restricts(store: str) -> None:
    whole, two = await tag(MAIL, store=store), await tag(MAIL, store=store, top=2)
    assert [*(one.id for one in two.tags), *two.cut] == [one.id for one in whole.tags]
    assert (len(two.tags), whole.cut) == (2, ())
    inside = await tag(MAIL, store=store, within="role")
    assert {tag.id for tag in inside.tags} <= {"client", "server"}
    with pytest.raises(UsageError, match="nobody"):
        await tag(MAIL, store=store, within="nobody")


async def test_a_vocabulary_alone_is_enough(vocabulary_store: str) -> None:
    result = await tag({"text": "a chess game for two"}, store=vocabulary_store)
    assert result.tags[0].id == "chess"
    assert result.tags[0].confidence <= 0.5


async def test_tags_that_only_a_model_gave_are_candidates_where_people_tagged_nothing(
    vocabulary_store: str,
) -> None:
    text: TaggingInput = {"text": "a chess game for two"}
    before = await tag(text, store=vocabulary_store)
    assert "web" not in {item.id for item in before.tags}
    async with await open_store(vocabulary_store) as opened:
        echo = Assignment(tag="web", provenance=Provenance.MODEL, confidence=0.99)
        await opened.upsert_contents([TaggedContent(id="m", text="a chess game for two", assignments=(echo,))])
    after = {item.id: item for item in (await tag(text, store=vocabulary_store)).tags}
    (evidence,) = after["web"].evidence
    assert isinstance(evidence, C2C2TEvidence)
    assert (evidence.raw, evidence.support, evidence.human_support) == (0.0, 1, 0)
    assert after["web"].confidence < 0.01
    for item in before.tags:
        assert after[item.id].confidence == pytest.approx(item.confidence)


async def test_the_content_itself_is_no_neighbour(store: str) -> None:
    result = await tag({"id": "h8", "text": "card game collection"}, store=store)
    neighbours = {
        n.id for t in result.tags for e in t.evidence if isinstance(e, C2C2TEvidence) for n in e.neighbours
    }
    assert "h8" not in neighbours


@pytest.mark.parametrize("content", [{"text": ""}, {"text": " \n"}, {"text": "x", "id": " "}, {"text": 7}])
async def test_bad_contents_are_refused_with_the_field(store: str, content: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"text|id"):
        await tag(cast(TaggingInput, content), store=store)


@pytest.mark.parametrize("content", [{}, {"id": "x"}, {"text": 5}])
async def test_bad_contents_are_reported_before_anything_is_opened(content: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="'text'"):
        await tag(cast(TaggingInput, content))


async def test_no_store_says_what_to_do() -> None:
    with pytest.raises(UsageError, match="no store is given; give store"):
        await tag(MAIL)


async def test_rounds_widen_while_nothing_is_confident_and_keep_what_was_found(store: str) -> None:
    one = await tag(MAIL, store=store, widen_below=1.0)
    three = await tag(MAIL, store=store, widen_below=1.0, max_rounds=3)
    assert (one.rounds, three.rounds) == (1, 3)
    assert {tag.id for tag in one.tags} <= {tag.id for tag in three.tags}
    paths = {e.path.value for t in three.tags for e in t.evidence}
    assert "t2t" in paths, "the wider plan follows the tag graph"
    enough = await tag(MAIL, store=store, widen_below=0.01, max_rounds=3)
    assert enough.rounds == 1


async def test_tags_that_only_a_model_gave_never_raise_confidence(store: str) -> None:
    async def confidences() -> dict[str, float]:
        return {tag.id: tag.confidence for tag in (await tag(MAIL, store=store)).tags}

    before = await confidences()
    async with await open_store(store) as opened:
        for content in ("h1", "h2", "h3", "h6", "h7"):
            echo = [
                Assignment(tag=t, provenance=Provenance.MODEL, confidence=0.99) for t in ("web", "games", "mail")
            ]
            await opened.assign(content, echo)
    after = await confidences()
    assert after.keys() >= before.keys()
    for tag_id, confidence in before.items():
        assert after[tag_id] <= confidence + 1e-9, tag_id
    async with await open_store(store) as opened:
        for content in ("h1", "h2", "h3"):
            await opened.assign(content, [Assignment(tag="web", provenance=Provenance.HUMAN)])
    assert (await confidences())["web"] > before["web"], "a human's tags do raise it"


async def test_an_emerging_tag_is_found_by_the_next_call(store: str) -> None:
    text: TaggingInput = {"text": "reads feeds in the rss format"}
    assert "rss" not in {tag.id for tag in (await tag(text, store=store)).tags}
    async with await open_store(store) as opened:
        await opened.upsert_tags([Tag(id="rss", name="RSS", aliases=("rss format",))])
    assert "rss" in [tag.id for tag in (await tag(text, store=store)).tags[:2]]


def test_runs_synchronously_too(store: str) -> None:
    output = graph.invoke(MAIL, context=TagOptions(store=store, use_llm=False))
    assert output["tags"][0]["id"] == "mail"


async def test_streams_progress_per_stage(store: str) -> None:
    options = TagOptions(store=store, use_llm=False)
    stages = [part["stage"] async for part in graph.astream(MAIL, context=options, stream_mode="custom")]
    assert stages[0] == "prepare"
    assert stages[-1] == "report"
    assert {"search_tags", "search_contents", "fuse_candidates", "calibrate", "decide"} <= set(stages)


async def test_environment_names_the_store(store: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLM4TAG_STORE", store)
    assert (await tag(MAIL)).tags[0].id == "mail"
    monkeypatch.setenv("LLM4TAG_STORE", str(tmp_path / "nowhere"))
    assert (await tag(MAIL, store=store)).tags[0].id == "mail", "explicit beats environment"


async def test_no_context_at_all_takes_the_environment(
    store: str, monkeypatch: pytest.MonkeyPatch, options: Callable[..., TagOptions]
) -> None:
    monkeypatch.setenv("LLM4TAG_STORE", store)
    monkeypatch.setenv("LLM4TAG_MODEL", "openai/fake")
    monkeypatch.setenv("LLM4TAG_API_BASE", str(options().api_base))
    output = await graph.ainvoke({"text": "mail"})
    assert output["usage"]["llm_calls"] > 0
