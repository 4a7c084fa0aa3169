"""The graph as LangGraph server runs it: nothing blocks the event loop, the LLM path works, errors are seen."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from blockbuster import blockbuster_ctx

from graphs.context import TagOptions
from graphs.tagging import graph
from tests.fakes.langgraph_server import langgraph_dev
from tests.fakes.openai_server import FakeOpenAI


@pytest.mark.parametrize("use_llm", [False, True])
async def test_no_step_blocks_the_event_loop(options: Callable[..., TagOptions], use_llm: bool) -> None:
    chosen = options(use_llm=use_llm, accept_at=1.0, widen_below=1.0, max_rounds=2)
    # What nodes call, that is: LiteLLM runs on a loop of its own, where it may block nobody else.
    with blockbuster_ctx(scanned_modules=["graphs"]):
        output = await graph.ainvoke({"text": "a mail reader with imap"}, context=chosen)
    assert output["degraded"] is None
    assert output["tags"][0]["id"] == "mail"


@pytest.fixture
def server(tmp_path: Path, store: str, fake: FakeOpenAI) -> Iterator[str]:
    """Serve the graph; return the server's address."""
    chosen = {"LLM4TAG_STORE": store, "LLM4TAG_MODEL": "openai/fake", "LLM4TAG_API_BASE": fake.api_base}
    with langgraph_dev(tmp_path, chosen) as address:
        yield address


def test_the_tagging_assistant_tags_over_http(server: str, fake: FakeOpenAI) -> None:
    assistants = httpx.post(f"{server}/assistants/search", json={}, timeout=30).json()
    assert [assistant["graph_id"] for assistant in assistants] == ["tagging"]
    schemas = httpx.get(f"{server}/assistants/{assistants[0]['assistant_id']}/schemas", timeout=30).json()
    assert schemas["input_schema"]["required"] == ["text"]
    assert "max_rounds" in schemas["context_schema"]["properties"]
    body = {"assistant_id": "tagging", "input": {"id": "1", "text": "a mail reader with imap"}}
    result = httpx.post(f"{server}/runs/wait", json={**body, "context": {"samples": 2}}, timeout=120).json()
    assert "__error__" not in result
    assert result["id"] == "1"
    assert result["tags"][0]["id"] == "mail"
    assert result["degraded"] is None
    assert result["usage"]["llm_calls"] == len(fake.chat_requests) > 0
    wrong = httpx.post(f"{server}/runs/wait", json={**body, "input": {"text": " "}}, timeout=60).json()
    assert wrong["__error__"]["error"] == "UsageError"
