"""Runs over many contents, with a scripted tagger."""

import asyncio

import pytest

from llm4tag.batch import RunReport, TaggingFailure, check_cost, run
from llm4tag.result_files import EarlierResult, MemorySink
from llm4tag.schema import (
    Content,
    CostLimitError,
    ModelNotFoundError,
    ModelSetupError,
    StoreError,
    TagResult,
    Usage,
    UsageError,
)
from tests.fakes.scripted_tagger import Script, ScriptedEstimate, ScriptedTagger

CONTENTS = [Content(id=str(number), text=f"text {number}") for number in range(20)]


def usage(cost: float | None) -> Usage:
    return Usage(llm_calls=1, prompt_tokens=10, completion_tokens=2, cost=cost)


async def test_every_content_has_one_result() -> None:
    sink, tagger = MemorySink(), ScriptedTagger(usage=usage(0.5))
    report = await run(tagger, CONTENTS, sink, concurrency=4)
    assert sorted(int(one.id) for one in sink.results) == list(range(20))
    assert tagger.most_at_once == 4
    assert (report.tagged, report.resumed, report.whole) == (20, 0, True)
    assert report.usage == Usage(llm_calls=20, prompt_tokens=200, completion_tokens=40, cost=10.0)
    assert all(one.origin.content == CONTENTS[int(one.id)].digest for one in sink.results)


async def test_what_is_done_is_not_tagged_again() -> None:
    sink, tagger = MemorySink(), ScriptedTagger()
    sink.done = {
        "3": EarlierResult("x", None),
        "4": EarlierResult("x", "down"),
        "of another run": EarlierResult("x", "down"),
    }
    report = await run(tagger, CONTENTS, sink)
    assert not {"3", "4"} & set(tagger.asked)
    assert (report.resumed, report.tagged, report.degraded, report.whole) == (2, 18, 1, False)


async def test_one_failure_stops_nobody() -> None:
    seen: list[tuple[str, bool]] = []

    def note(content: Content, outcome: TagResult | TaggingFailure) -> None:
        seen.append((content.id, isinstance(outcome, TaggingFailure)))

    script: Script = {
        "2": ValueError("odd text"),
        "5": {"degraded": "the model refused"},
        "7": StoreError("locked"),
    }
    sink = MemorySink()
    report = await run(ScriptedTagger(script), CONTENTS, sink, concurrency=2, on_result=note)
    assert len(sink.results) == 18
    assert {failure.content.id: str(failure) for failure in report.failures} == {
        "2": "tagging failed: ValueError: odd text",
        "7": "tagging failed: locked",
    }
    assert report.degraded == 1
    assert not report.whole
    assert len(seen) == 20
    assert sorted(content_id for content_id, failed in seen if failed) == ["2", "7"]


async def test_a_store_that_is_gone_ends_the_run() -> None:
    script = {str(number): StoreError("the disk is gone") for number in range(4, 20)}
    sink, tagger = MemorySink(), ScriptedTagger(script)
    with pytest.raises(StoreError, match="the disk is gone"):
        await run(tagger, CONTENTS, sink)
    assert len(sink.results) == 4
    assert len(tagger.asked) == 9


async def test_nothing_tagged_at_all_is_the_failure_itself() -> None:
    with pytest.raises(StoreError, match="no such table"):
        await run(ScriptedTagger({"0": StoreError("no such table")}), CONTENTS[:1], MemorySink())


async def test_a_model_that_is_down_degrades_every_result_and_the_run_ends() -> None:
    script = {str(number): {"degraded": "the model is down"} for number in range(20)}
    sink = MemorySink()
    report = await run(ScriptedTagger(script), CONTENTS, sink)
    assert (len(sink.results), report.degraded) == (20, 20)
    assert report.reasons == {"the model is down": 20}


@pytest.mark.parametrize("contents", [CONTENTS, CONTENTS[:2]])
async def test_a_model_that_can_never_answer_stops_the_run_and_leaves_nothing(contents: list[Content]) -> None:
    refused: Script = {one.id: {"degraded": "wrong key", "degraded_for_good": True} for one in CONTENTS}
    sink, report = MemorySink(), RunReport()
    tagger = ScriptedTagger(refused)
    with pytest.raises(ModelSetupError, match="wrong key; nothing is written"):
        await run(tagger, contents, sink, report=report)
    assert (sink.results, report.tagged, len(tagger.asked)) == ([], 0, min(3, len(contents)))


async def test_one_answer_shows_that_the_model_is_set_up() -> None:
    refused: Script = {str(n): {"degraded": "wrong key", "degraded_for_good": True} for n in range(20) if n != 2}
    sink = MemorySink()
    report = await run(ScriptedTagger(refused), CONTENTS, sink)
    assert ([one.id for one in sink.results], report.degraded) == ([one.id for one in CONTENTS], 19)
    short = MemorySink()
    failing: Script = {"0": StoreError("locked"), "1": {"degraded": "wrong key", "degraded_for_good": True}}
    report = await run(ScriptedTagger(failing), CONTENTS[:2], short)
    assert ([one.id for one in short.results], report.degraded, len(report.failures)) == (["1"], 1, 1)


async def test_a_model_that_is_not_here_ends_the_run_at_once() -> None:
    tagger = ScriptedTagger({one.id: ModelNotFoundError("pull it") for one in CONTENTS[1:]})
    with pytest.raises(ModelNotFoundError, match="pull it"):
        await run(tagger, CONTENTS, MemorySink())
    assert len(tagger.asked) == 2


async def test_money_that_is_spent_stops_the_run() -> None:
    sink, report = MemorySink(), RunReport()
    with pytest.raises(CostLimitError, match=r"\$0\.3000 spent of the \$0\.2500.*17 contents are left"):
        await run(ScriptedTagger(usage=usage(0.1)), CONTENTS, sink, max_cost=0.25, report=report)
    assert len(sink.results) == report.tagged == 3


async def test_a_cost_that_becomes_unknown_stops_the_run() -> None:
    with pytest.raises(CostLimitError, match="an unknown sum"):
        await run(ScriptedTagger(usage=usage(None)), CONTENTS, MemorySink(), max_cost=1.0)


async def test_replayed_answers_cost_nothing() -> None:
    sink = MemorySink()
    await run(ScriptedTagger(usage=Usage(cached_answers=4)), CONTENTS, sink, max_cost=0.0)
    assert len(sink.results) == 20


def test_an_estimate_above_the_limit_stops_before_the_run() -> None:
    with pytest.raises(CostLimitError, match=r"may cost \$2\.0000, above the \$1\.0000"):
        check_cost(ScriptedEstimate(llm_calls=9, cost=2.0), 1.0)
    with pytest.raises(UsageError, match="price of the model is unknown"):
        check_cost(ScriptedEstimate(llm_calls=9), 1.0)
    check_cost(ScriptedEstimate(llm_calls=9, cost=0.5), 1.0)
    check_cost(ScriptedEstimate(llm_calls=9), None)
    check_cost(ScriptedEstimate(), 1.0)


async def test_cancellation_keeps_what_is_counted() -> None:
    sink, report = MemorySink(), RunReport()
    started = asyncio.Event()

    def enough(content: Content) -> None:
        if content.id == "6":
            started.set()

    task = asyncio.create_task(run(ScriptedTagger(before=enough), CONTENTS, sink, report=report))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert 0 < len(sink.results) == report.tagged < 20
