"""The server as a tool of an agent."""

import ast
from typing import Any

from llm4tag.schema import TagResult
from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.serve_process import TEXT, ServeProcess


def call(server: ServeProcess, method: str, **params: Any) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = server.post("/mcp", body, Accept="application/json, text/event-stream")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_agent_finds_the_tool_and_tags_with_it(server: ServeProcess, fake: FakeOpenAI) -> None:
    client = {"name": "test", "version": "1"}
    hello = call(server, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=client)["result"]
    assert hello["protocolVersion"] == "2025-06-18"
    (tool,) = call(server, "tools/list")["result"]["tools"]
    assert tool["name"] == "tagging"
    assert "never makes tags up" in tool["description"]
    assert tool["inputSchema"]["required"] == ["text"]
    called = call(server, "tools/call", name="tagging", arguments={"text": TEXT})["result"]
    assert not called.get("isError")
    result = TagResult.model_validate(ast.literal_eval(called["content"][0]["text"]))
    assert result.tags[0].id == "mail"
    assert len(fake.chat_requests) == result.usage.llm_calls > 0


def test_a_call_that_fails_says_so(server: ServeProcess) -> None:
    called = call(server, "tools/call", name="tagging", arguments={"text": " "})["result"]
    assert called["isError"]
    # LangGraph gives the error's name and keeps its words.
    assert called["content"][0]["text"] == "UsageError"
    assert "Unknown tool" in call(server, "tools/call", name="other", arguments={})["error"]["message"]
