"""Tagging through the server: waiting, streaming, in batches, on threads, with and without the LLM."""

import json
import time
from typing import Any

import pytest
from langgraph.pregel.remote import RemoteGraph

from llm4tag.schema import TagResult
from tests.fakes.openai_server import FakeOpenAI, Reply
from tests.fakes.serve_process import RECALL, TEXT, ServeProcess


def content(number: int = 1) -> dict[str, str]:
    return {"id": str(number), "text": TEXT}


def test_the_llm_path_works_and_a_line_is_written_an_item(server: ServeProcess, fake: FakeOpenAI) -> None:
    result = TagResult.model_validate(server.wait(id="asked"))
    assert result.tags[0].id == "mail"
    assert result.tags[0].signals.p_yes is not None
    assert result.degraded is None
    assert result.usage.llm_calls == len(fake.chat_requests) > 0
    (line,) = [line for line in server.lines("tagged") if line["id"] == "asked"]
    assert line["accepted"] == len(result.accepted)
    assert line["llm_calls"] == result.usage.llm_calls
    assert line["prompt_tokens"] == result.usage.prompt_tokens
    assert line["rounds"] == 1
    assert "recipe" not in line
    assert line["fit"] == result.origin.fit
    assert line["degraded"] is None
    assert 0 < line["seconds"] < 60
    assert TEXT not in json.dumps(line)


def test_a_failing_llm_degrades_the_result_and_the_line_says_so(server: ServeProcess, fake: FakeOpenAI) -> None:
    from tests.fakes.openai_server import Failure

    fake.chat = lambda _: Failure(401, "no such key", code="invalid_api_key")
    result = TagResult.model_validate(server.wait(id="degraded"))
    assert result.degraded is not None
    assert result.degraded_for_good
    assert result.tags[0].id == "mail"
    (line,) = [line for line in server.lines("tagged") if line["id"] == "degraded"]
    assert line["degraded"] == result.degraded


def test_options_come_as_context_over_those_the_server_was_started_with(
    server: ServeProcess, fake: FakeOpenAI
) -> None:
    assert len(server.wait(context=RECALL | {"top": 1})["tags"]) == 1
    assert fake.chat_requests == []
    server.wait()
    asked = [request for request in fake.chat_requests if "List of tags" in request["messages"][-1]["content"]]
    assert len(asked) == 2


def test_streams_tell_the_stages_and_the_tasks(server: ServeProcess) -> None:
    parts = list(
        server.client().runs.stream(
            None, "tagging", input=content(), context=RECALL, stream_mode=["custom", "tasks", "values"]
        )
    )
    stages = [part.data["stage"] for part in parts if part.event == "custom"]
    assert stages[0] == "prepare"
    assert stages[-1] == "report"
    assert {"search_tags", "search_contents", "calibrate", "decide"} <= set(stages)
    assert "fuse_candidates" in {part.data["name"] for part in parts if part.event == "tasks"}
    assert [part for part in parts if part.event == "values"][-1].data["tags"][0]["id"] == "mail"


def test_a_batch_is_run_and_every_run_ends(server: ServeProcess) -> None:
    client = server.client()
    thread_ids = [client.threads.create()["thread_id"] for _ in range(3)]
    runs = [
        client.runs.create(thread, "tagging", input=content(number), context=RECALL)
        for number, thread in enumerate(thread_ids)
    ]
    for thread, run in zip(thread_ids, runs, strict=True):
        client.runs.join(thread, run["run_id"])
        assert client.runs.get(thread, run["run_id"])["status"] == "success"
    states: list[Any] = [client.threads.get_state(thread)["values"] for thread in thread_ids]
    found = [state["id"] for state in states]
    assert found == ["0", "1", "2"]
    payloads: list[Any] = [{"assistant_id": "tagging", "input": content(n), "context": RECALL} for n in range(5)]
    assert len(client.runs.create_batch(payloads)) == 5
    deadline = time.monotonic() + 20
    while {str(n) for n in range(5)} - {line["id"] for line in server.lines("tagged")}:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_run_is_cancelled_while_the_llm_thinks(server: ServeProcess, fake: FakeOpenAI) -> None:
    fake.chat = lambda _: Reply("Yes", delay=5)
    client = server.client()
    thread = client.threads.create()["thread_id"]
    run = client.runs.create(thread, "tagging", input={"id": "cancelled", "text": TEXT})
    deadline = time.monotonic() + 20
    while not fake.chat_requests:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    client.runs.cancel(thread, run["run_id"], wait=True)
    assert client.runs.get(thread, run["run_id"])["status"] == "interrupted"
    (line,) = [line for line in server.lines("cancelled") if line["id"] == "cancelled"]
    assert line["run"] == run["run_id"]
    assert server.wait(context=RECALL)["tags"]


def test_a_run_stops_before_a_node_and_goes_on_where_it_was(server: ServeProcess) -> None:
    client = server.client()
    thread = client.threads.create()["thread_id"]
    client.runs.wait(thread, "tagging", input=content(), context=RECALL, interrupt_before=["decide"])
    state = client.threads.get_state(thread)
    assert state["next"] == ["decide"]
    scored = state["values"]["scored"]  # type: ignore[call-overload]
    assert scored[0]["tag"] == "mail"
    assert client.threads.get(thread)["status"] == "interrupted"
    # Only with the types of its state can it go on: strict msgpack allows these and no others.
    result = client.runs.wait(thread, "tagging", input=None, context=RECALL | {"top": 1})
    assert [tag["id"] for tag in TagResult.model_validate(result).model_dump()["tags"]] == ["mail"]
    steps = client.threads.get_history(thread, limit=50)
    assert [step["next"] for step in reversed(steps)][-3:] == [["decide"], ["report"], []]
    assert steps[0]["values"]["tags"][0]["id"] == "mail"  # type: ignore[call-overload]


def test_a_remote_graph_is_used_like_the_graph(server: ServeProcess) -> None:
    remote: Any = RemoteGraph("tagging", sync_client=server.client())
    result = remote.invoke(content(), context=RECALL | {"top": 1})
    assert result["tags"][0]["id"] == "mail"
    drawn = remote.get_graph().nodes
    assert {"prepare", "judge", "report"} <= set(drawn)


def test_schemas_and_graph_are_what_studio_draws(server: ServeProcess) -> None:
    client = server.client()
    (assistant,) = client.assistants.search()
    assert assistant["name"] == "tagging"
    schemas = client.assistants.get_schemas(assistant["assistant_id"])
    given = schemas["input_schema"]
    assert given is not None
    assert given["required"] == ["text"]
    assert all(field["description"] for field in given["properties"].values())
    context = schemas["context_schema"]
    assert context is not None
    assert context["properties"]["samples"]["default"] == 2
    assert context["properties"]["max_rounds"]["default"] == 1
    assert context["properties"]["top"]["maximum"] == 1000
    assert all("description" in field for name, field in context["properties"].items())
    assert not {"store", "model", "api_base", "adapter", "embedding"} & set(context["properties"])
    nodes = {node["id"] for node in client.assistants.get_graph(assistant["assistant_id"])["nodes"]}
    assert {"prepare", "search_tags", "fuse_candidates", "judge", "generate", "calibrate", "report"} <= nodes


@pytest.mark.parametrize("path", ["/openapi.json", "/info", "/ok", "/metrics", "/health"])
def test_what_needs_no_key(server: ServeProcess, path: str) -> None:
    answer = server.get(path, key="none")
    assert answer.status_code == 200
    assert str(server.folder) not in answer.text
