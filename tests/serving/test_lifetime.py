"""A server from its start in an empty folder to its end, and its next start."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.openai_server import FakeOpenAI, Reply
from tests.fakes.scripted_llm import likes
from tests.fakes.serve_process import RECALL, TEXT, ServeProcess, running

STUDIO = "https://smith.langchain.com"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lifetime")


@pytest.fixture(scope="module")
def own_fake() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as fake:
        yield fake


@pytest.fixture(scope="module")
def options(folder: Path, served_store: Path, own_fake: FakeOpenAI) -> tuple[object, ...]:
    """One question a content, one content at a time."""
    model = ("--store", served_store, "--model", "openai/fake", "--api-base", own_fake.api_base, "--no-cache")
    asked = ("--samples", 0, "--judge-top", 1, "--max-rounds", 1, "--concurrency", 1)
    return (*model, *asked, "--state", folder / "state")


@pytest.fixture(scope="module")
def first(folder: Path, options: tuple[object, ...]) -> Iterator[ServeProcess]:
    """The first start: nobody has a key yet, Studio is let in, and little time is left at the end."""
    (folder / "first").mkdir()
    with running(folder / "first", *options, "--studio", "--grace", 1, LLM4TAG_API_KEY="secret-key") as started:
        yield started


def test_it_starts_without_a_file_in_an_empty_folder(first: ServeProcess, folder: Path) -> None:
    assert first.key.startswith("llm4tag_")
    assert list((first.folder / "empty").iterdir()) == []
    saved = folder / "state"
    assert saved.stat().st_mode & 0o777 == 0o700
    assert (saved / "keys.json").stat().st_mode & 0o777 == 0o600
    assert first.key not in (saved / "keys.json").read_text()
    assert first.wait(context=RECALL)["tags"][0]["id"] == "mail"


def test_its_settings_are_logged_without_secrets(first: ServeProcess) -> None:
    (printed,) = first.lines("settings")
    assert printed["settings"]["api_key"] == "**********"
    assert printed["options"]["samples"] == 0
    assert printed["cors"] == [STUDIO]
    assert printed["keys"] == {"this-run": "admin"}
    written = (first.folder / "stdout").read_text()
    assert "secret-key" not in written
    assert first.key not in written


def test_studio_is_let_in_and_nobody_else(first: ServeProcess) -> None:
    def preflight(origin: str) -> httpx.Response:
        wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-auth-scheme"}
        return httpx.options(f"{first.address}/runs/wait", headers={"Origin": origin, **wanted}, timeout=30)

    assert preflight(STUDIO).headers["access-control-allow-origin"] == STUDIO
    for origin in ("https://evil.example", "https://smith.langchain.com.evil.example", "http://localhost:3000"):
        assert preflight(origin).status_code == 400

    def search(**headers: str) -> httpx.Response:
        return httpx.post(f"{first.address}/assistants/search", json={}, headers=headers, timeout=30)

    # What Studio sends in place of a key.
    assert search(**{"X-Auth-Scheme": "langsmith", "Origin": STUDIO}).json()[0]["name"] == "tagging"
    assert search(Origin=STUDIO).status_code == 401


def test_a_second_server_is_refused(first: ServeProcess, options: tuple[object, ...], folder: Path) -> None:
    (folder / "second").mkdir()
    refused = pytest.raises(AssertionError, match="a server is running with this state")
    with refused, running(folder / "second", *options):
        pass


def test_ready_says_what_is_down_and_why_to_those_with_a_key(first: ServeProcess, own_fake: FakeOpenAI) -> None:
    assert first.get("/ready").status_code == 200
    own_fake.key = "another"
    try:
        time.sleep(2.1)  # answers hold for two seconds
        answer = first.get("/ready")
        assert answer.status_code == 503
        assert answer.json()["store"] == {"status": "up", "why": ""}
        assert "refuses the key" in answer.json()["model"]["why"]
        nobody = first.get("/ready", key="none")
        assert nobody.status_code == 503
        assert nobody.json()["model"] == {"status": "down", "why": ""}
    finally:
        own_fake.key = None
    assert first.get("/health").json()["status"] == "ok"


def test_what_is_left_at_the_end_goes_on_with_the_next_start(
    first: ServeProcess, own_fake: FakeOpenAI, options: tuple[object, ...], folder: Path
) -> None:
    own_fake.chat = lambda _: Reply("Yes", first_token={"Yes": -0.1, "No": -2.3}, delay=20)
    client = first.client()
    threads = [client.threads.create()["thread_id"] for _ in range(2)]
    for number, thread in enumerate(threads):
        client.runs.create(thread, "tagging", input={"id": f"left{number}", "text": TEXT})
    _until(lambda: own_fake.chat_requests)
    assert first.stop(signal.SIGTERM) == -signal.SIGTERM
    (ended,) = first.lines("ended")
    assert (ended["finished"], ended["left"]) == (0, 2)
    assert 1 <= ended["seconds"] < 5

    own_fake.chat = likes("Mail")
    (folder / "again").mkdir()
    with running(folder / "again", *options, "--grace", 20, LLM4TAG_API_KEY="secret-key") as again:
        assert again.key != first.key
        _until(lambda: len(again.lines("tagged")) == 2)
        assert {line["id"] for line in again.lines("tagged")} == {"left0", "left1"}
        states: list[Any] = [again.client().threads.get_state(thread)["values"] for thread in threads]
        assert [state["tags"][0]["id"] for state in states] == ["mail", "mail"]

        own_fake.chat = lambda _: Reply("Yes", first_token={"Yes": -0.1, "No": -2.3}, delay=2)
        own_fake.chat_requests.clear()
        answers: list[Any] = []
        waiting = threading.Thread(target=lambda: answers.append(again.wait(id="in flight")))
        waiting.start()
        _until(lambda: own_fake.chat_requests)
        again.stop(signal.SIGINT)
        waiting.join(20)
        assert answers[0]["id"] == "in flight"
        assert answers[0]["degraded"] is None
        assert again.lines("ended")[0]["left"] == 0


def _until(true: Any, patience: float = 30) -> None:
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
