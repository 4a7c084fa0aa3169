"""What a trace of the graph holds: names, the content's id, tokens, cost, and no text that nobody asked for."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.callbacks import CallbackManager

from llm4tag.graphs.state import TaggingInput
from llm4tag.graphs.tagging import graph
from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import UsageError
from llm4tag.schema.options import TagOptions
from llm4tag.tools.agent_tools import recall_tools
from tests.fakes.openai_server import Failure, FakeOpenAI, Reply
from tests.fakes.scripted_llm import likes
from tests.fakes.traces import Spans, facts, in_memory

MAIL: TaggingInput = {"id": "new", "text": "a mail reader with imap for the terminal"}
Options = Callable[..., TagOptions]
NODES = [
    *("prepare", "search_tags", "search_contents", "classify", "follow_tags", "fuse_candidates"),
    *("retrieve_knowledge", "judge", "generate", "calibrate", "decide", "report"),
]


@pytest.fixture
def spans() -> Iterator[Spans]:
    with in_memory() as made:
        yield made


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENINFERENCE_HIDE_INPUTS", "false")
    monkeypatch.setenv("OPENINFERENCE_HIDE_OUTPUTS", "false")


async def test_every_span_has_a_verb_and_the_contents_id(options: Options, spans: Spans) -> None:
    await graph.ainvoke(MAIL, context=options(samples=2))
    whole, *parts = spans.all
    assert (whole.name, whole.parent) == ("tagging", None)
    assert {span.name for span in parts} == {*NODES, "ask"}
    assert all(facts(span)["llm4tag.content"] == "new" for span in spans.all)
    assert all(spans.parent(span) == "tagging" for span in parts if span.name in NODES)
    assert {spans.parent(span) for span in spans.named("ask")} == {"judge", "generate"}
    kinds = {span.name: facts(span)["openinference.span.kind"] for span in spans.all}
    assert (kinds["tagging"], kinds["search_tags"], kinds["ask"]) == ("CHAIN", "RETRIEVER", "LLM")
    (search,) = spans.named("search_tags")
    assert facts(search)["retrieval.documents.0.document.id"] == "mail"
    assert facts(search)["llm4tag.found"] > 0
    assert all(span.status.is_ok for span in spans.all)


async def test_tokens_and_cost_are_at_questions_nodes_and_the_whole(
    options: Options, fake: FakeOpenAI, spans: Spans
) -> None:
    answer = likes("Mail")

    def priced(request: dict[str, Any]) -> Reply:
        reply = answer(request)
        return Reply(reply.text, first_token=reply.first_token, prompt_tokens=1000, completion_tokens=10)

    fake.chat = priced
    await graph.ainvoke(MAIL, context=options(model="openai/gpt-4o-mini", samples=2, judge_top=3))
    asked = [facts(span) for span in spans.named("ask")]
    assert len(asked) == len(fake.chat_requests) == 5
    for said in asked:
        assert (said["llm.token_count.prompt"], said["llm.token_count.completion"]) == (1000, 10)
        assert said["llm.cost.total"] == pytest.approx(0.000156)
        assert said["llm.model_name"] == "openai/gpt-4o-mini"
        assert said["llm4tag.cached"] is False
    (judge,), (generate,), (whole,) = spans.named("judge"), spans.named("generate"), spans.named("tagging")
    assert [facts(span)["llm4tag.prompt_tokens"] for span in (judge, generate, whole)] == [3000, 2000, 5000]
    assert facts(whole)["llm4tag.cost"] == pytest.approx(5 * 0.000156)
    assert facts(whole)["llm4tag.accepted"] == 1


async def test_an_unknown_price_is_left_out(options: Options, spans: Spans) -> None:
    await graph.ainvoke(MAIL, context=options(samples=0, judge_top=1))
    (asked,) = spans.named("ask")
    assert "llm.cost.total" not in facts(asked)


async def test_cached_answers_are_marked_and_cost_nothing(options: Options, spans: Spans) -> None:
    chosen = options(model="openai/gpt-4o-mini", samples=1, judge_top=1)
    await graph.ainvoke(MAIL, context=chosen)
    spans.exporter.clear()
    await graph.ainvoke(MAIL, context=chosen)
    asked = [facts(span) for span in spans.named("ask")]
    assert [said["llm4tag.cached"] for said in asked] == [True, True]
    assert {(said["llm.token_count.total"], said["llm.cost.total"]) for said in asked} == {(0, 0.0)}
    assert facts(spans.named("tagging")[0])["llm4tag.cached_answers"] == 2


async def test_texts_are_left_out_and_shown_when_asked_for(
    options: Options, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    await graph.ainvoke(MAIL, context=options())
    assert "imap" not in spans.everything.lower()
    assert "Does the content" not in spans.everything
    assert '"mail"' in spans.everything, "ids of tags are no texts"


async def test_a_trace_with_texts_shows_prompt_answer_and_tags(
    texts: None, options: Options, spans: Spans
) -> None:
    await graph.ainvoke(MAIL, context=options(samples=1, judge_top=1))
    judged, generated = (facts(span) for span in spans.named("ask"))
    assert "imap for the terminal" in judged["llm.input_messages.1.message.content"]
    assert judged["output.value"] == '{"text": "Yes", "first_token": {"Yes": -0.05, "No": -3.0}}'
    assert generated["llm.output_messages.0.message.content"].startswith('{"tags": ["')
    (whole,), (knowledge,) = spans.named("tagging"), spans.named("retrieve_knowledge")
    assert "imap for the terminal" in facts(whole)["input.value"]
    assert '"id": "mail"' in facts(whole)["output.value"]
    assert "mail reader" in facts(knowledge)["retrieval.documents.0.document.content"]


async def test_no_key_is_in_a_trace(
    texts: None, options: Options, fake: FakeOpenAI, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM4TAG_API_KEY", "secret-of-the-test")
    fake.key = "another-secret"
    result = await graph.ainvoke(MAIL, context=options())
    assert result["degraded"]
    (judge,) = spans.named("judge")
    assert "Incorrect API key" in facts(judge)["llm4tag.reason"]
    assert "secret" not in spans.everything
    assert "127.0.0.1" not in spans.named("tagging")[0].to_json()


async def test_a_failing_llm_and_a_wrong_content_are_marked(
    options: Options, fake: FakeOpenAI, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM4TAG_MAX_ATTEMPTS", "1")
    fake.chat = lambda _: Failure(500, "imap broke it")
    await graph.ainvoke(MAIL, context=options())
    (asked,) = spans.named("ask")
    assert (asked.status.is_ok, asked.status.description) == (False, "ModelError")
    assert facts(spans.named("judge")[0])["llm4tag.llm_failed"] is True
    assert facts(spans.named("tagging")[0])["llm4tag.degraded"] is True
    assert "imap" not in spans.everything
    spans.exporter.clear()
    with pytest.raises(UsageError):
        await graph.ainvoke({"id": "empty", "text": " "}, context=options())
    assert [span.name for span in spans.all] == ["tagging", "prepare"]
    assert {span.status.description for span in spans.all} == {"UsageError"}


async def test_contents_at_once_have_a_trace_each(options: Options, spans: Spans) -> None:
    chosen = options(samples=1, judge_top=2)
    many: list[TaggingInput] = [{"id": f"c{number}", "text": f"{number} web mail chess"} for number in range(6)]
    await asyncio.gather(*(graph.ainvoke(one, context=chosen) for one in many))
    traces: dict[int, set[str]] = {}
    for span in spans.all:
        assert span.context is not None
        traces.setdefault(span.context.trace_id, set()).add(facts(span)["llm4tag.content"])
    assert sorted(map(sorted, traces.values())) == [[f"c{number}"] for number in range(6)]


async def test_a_stopped_run_ends_its_spans(options: Options, fake: FakeOpenAI, spans: Spans) -> None:
    fake.chat = lambda _: Reply("late", delay=2)
    running = asyncio.ensure_future(graph.ainvoke(MAIL, context=options()))
    async with asyncio.timeout(60):
        while not fake.chat_requests:  # noqa: ASYNC110 - it is another thread's
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    ended = {span.name: span.status.description for span in spans.all}
    assert (ended["ask"], ended["judge"], ended["tagging"]) == ("CancelledError",) * 3


def test_a_caller_without_a_loop_has_the_same_trace(options: Options, spans: Spans) -> None:
    graph.invoke(MAIL, context=options(use_llm=False))
    assert {spans.parent(span) for span in spans.all} == {None, "tagging"}
    assert {facts(span)["llm4tag.content"] for span in spans.all} == {"new"}


async def test_tools_of_an_agent_are_traced(store: str, spans: Spans) -> None:
    async with await open_store(store) as opened:
        (search,) = (tool for tool in recall_tools(opened) if tool.name == "search_tags")
        found = await search.ainvoke({"text": "mail"})
    (span,) = spans.all
    assert (span.name, facts(span)["openinference.span.kind"]) == ("search_tags", "TOOL")
    assert (facts(span)["tool.name"], facts(span)["llm4tag.found"]) == ("search_tags", len(found))


async def test_without_an_endpoint_nothing_listens(options: Options) -> None:
    from opentelemetry.trace import ProxyTracerProvider, get_tracer_provider

    from llm4tag.models import tracing

    assert tracing.set_up() is False
    await graph.ainvoke(MAIL, context=options(use_llm=False))
    assert not tracing.on()
    assert isinstance(get_tracer_provider(), ProxyTracerProvider)
    assert CallbackManager.configure().handlers == [], "no tracer of LangSmith's either"
