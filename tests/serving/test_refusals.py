"""Who gets in, what they may do, and how errors come."""

from pathlib import Path

import httpx
import pytest

from llm4tag.serving.api_keys import Scope, add, remove
from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.serve_process import RECALL, TEXT, ApiKeys, ServeProcess

RUN = {"assistant_id": "tagging", "input": {"text": TEXT}, "context": RECALL}


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer llm4tag_wrong"}, {"X-Api-Key": "x"}, {"X-Auth-Scheme": "langsmith"}],
)
@pytest.mark.parametrize("path", ["/runs/wait", "/assistants/search", "/threads", "/mcp"])
def test_without_a_key_nothing_is_answered(server: ServeProcess, path: str, headers: dict[str, str]) -> None:
    answer = httpx.post(f"{server.address}{path}", json=RUN, headers=headers, timeout=30)
    assert answer.status_code == 401
    assert "whoever runs this server can make one" in answer.json()["detail"]


def test_a_key_comes_in_either_header_and_is_refused_once_removed(server: ServeProcess, keys_file: Path) -> None:
    key = add(keys_file, "short-lived", Scope.READ)

    def asked(**headers: str) -> int:
        return httpx.post(f"{server.address}/assistants/search", json={}, headers=headers, timeout=30).status_code

    assert asked(Authorization=f"Bearer {key}") == 200
    assert asked(**{"X-Api-Key": key}) == 200
    remove(keys_file, "short-lived")
    assert asked(Authorization=f"Bearer {key}") == 401


def test_scopes(server: ServeProcess, keys: ApiKeys) -> None:
    assert server.post("/assistants/search", {}, keys.read).json()[0]["name"] == "tagging"
    for path, body in (
        ("/runs/wait", RUN),
        ("/threads", {}),
        ("/mcp", {}),
        ("/runs/crons", RUN | {"schedule": "* * * * *"}),
    ):
        assert server.post(path, body, keys.read).status_code == 403, path
    assistant = {"graph_id": "tagging", "name": "mine", "context": {"top": 3}}
    refused = server.post("/assistants", assistant, keys.one)
    assert refused.status_code == 403
    assert "may not create assistants" in refused.json()["detail"]
    made = server.post("/assistants", assistant, keys.admin).json()
    try:
        body = {**RUN, "assistant_id": made["assistant_id"]}
        assert len(server.post("/runs/wait", body, keys.one).json()["tags"]) <= 3
    finally:
        server.client(keys.admin).assistants.delete(made["assistant_id"])


def test_threads_belong_to_whose_key_made_them(server: ServeProcess, keys: ApiKeys) -> None:
    thread = server.client(keys.one).threads.create()["thread_id"]
    assert server.get(f"/threads/{thread}", keys.other).status_code == 404
    assert server.post(f"/threads/{thread}/runs/wait", RUN, keys.other).status_code == 404
    assert server.client(keys.other).threads.search(ids=[thread]) == []
    for key in (keys.one, keys.admin):
        assert server.get(f"/threads/{thread}", key).status_code == 200


def test_callers_choose_neither_store_nor_model(server: ServeProcess, keys: ApiKeys, fake: FakeOpenAI) -> None:
    for name, value in {"store": "/other.store", "model": "openai/dear", "api_base": "http://127.0.0.1:9"}.items():
        answer = server.post("/runs/wait", {**RUN, "context": {name: value}})
        assert answer.status_code == 422
        assert f"{name}: the server decides this" in answer.json()["detail"]
        hidden = {**RUN, "context": {}, "config": {"configurable": {name: value}}}
        assert server.post("/runs/wait", hidden).status_code == 422
        assistant = {"graph_id": "tagging", "context": {name: value}}
        assert server.post("/assistants", assistant, keys.admin).status_code == 422
    assert fake.chat_requests == []


def test_wrong_options_are_refused_and_not_dropped(server: ServeProcess) -> None:
    for context, printed in (
        ({"tpo": 3}, "tpo: extra inputs are not permitted"),
        ({"top": 0}, "top: input should be greater than or equal to 1"),
        ({"review_at": 0.9}, "review_at: must not be above the confidence for accepting"),
        ({"profile": "/etc/passwd"}, "profile: a server reads no file for a caller"),
    ):
        answer = server.post("/runs/wait", {**RUN, "context": context})
        assert answer.status_code == 422
        assert printed in answer.json()["detail"]


def test_errors_of_a_run_come_with_status_200_and_their_words(server: ServeProcess) -> None:
    answer = server.post("/runs/wait", {**RUN, "input": {"id": "blank", "text": " "}})
    assert answer.status_code == 200
    error = answer.json()["__error__"]
    assert error["error"] == "UsageError"
    assert error["message"] == "content 'blank': there is no text; give 'text' at least one word"
    (line,) = [line for line in server.lines("failed") if line["id"] == "blank"]
    assert line["error"] == "UsageError"
    with pytest.raises(Exception, match="there is no text"):
        server.client().runs.wait(None, "tagging", input={"text": " "})


def test_wrong_requests_have_a_status(server: ServeProcess) -> None:
    assert server.post("/runs/wait", {"assistant_id": "other", "input": {}}).status_code in (404, 422)
    assert server.post("/runs/wait", {"input": {}}).status_code == 422
    assert server.get("/threads/00000000-0000-0000-0000-000000000000").status_code == 404


def test_other_pages_are_refused_by_origin_and_by_name(server: ServeProcess) -> None:
    for origin in ("https://smith.langchain.com", "https://evil.example", "http://localhost:3000", "null"):
        asked = httpx.options(
            f"{server.address}/runs/wait",
            headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
            timeout=30,
        )
        assert asked.status_code == 400
        assert "access-control-allow-origin" not in asked.headers
    # A page whose own name leads here sends its own name.
    answer = httpx.get(f"{server.address}/ok", headers={"Host": "evil.example:80"}, timeout=30)
    assert answer.status_code == 400


def test_what_the_runtime_leaves_open_is_closed(server: ServeProcess, keys: ApiKeys) -> None:
    thread = server.client().threads.create()["thread_id"]
    for path in ("/internal/truncate", "/deploy", "/deploy/logs", "/store/items", "/a2a/tagging"):
        assert server.post(path, {}, keys.admin).status_code == 404, path
    assert server.get("/deploy").status_code == 404
    assert server.get(f"/threads/{thread}").status_code == 200
