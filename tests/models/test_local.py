"""The local LLM: the real 0.5B model in the real server."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from llm4tag.models import Answer, CachedModel, Message, Question, open_llm
from llm4tag.models.answer_cache import AnswerCache
from llm4tag.models.local import server_process as process
from llm4tag.models.local.known_models import known_model
from llm4tag.models.local.model_files import ModelFile, find_model
from llm4tag.models.local.server_process import (
    ServerProcess,
    acquire_server,
    release_server,
    running_server,
    state_path,
)
from llm4tag.models.local.shared_server import serve
from llm4tag.schema import ModelError, ModelNotFoundError, Settings, settings

SYSTEM = "You are a librarian who answers questions about places, truthfully and in one word. " * 8
SCHEMA = {
    "type": "object",
    "properties": {
        "tags": {"type": "array", "items": {"enum": ["cities", "cheese"]}, "minItems": 1, "maxItems": 2}
    },
    "required": ["tags"],
    "additionalProperties": False,
}


def question(text: str, **parameters: Any) -> Question:
    parameters.setdefault("max_tokens", 2)
    return Question(
        messages=(Message(role="system", content=SYSTEM), Message(role="user", content=text)), **parameters
    )


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads starve each other when other tests run."""
    monkeypatch.setenv("LLM4TAG_THREADS", "1")


@pytest.fixture
def local_settings(local_model_path: Path) -> Settings:
    return settings(model=f"local/{local_model_path}", timeout=240.0)


@pytest.fixture
def local_file(local_settings: Settings) -> ModelFile:
    return find_model(local_settings.model, local_settings.cache_dir)


@pytest.fixture
async def llm(local_settings: Settings) -> AsyncIterator[CachedModel]:
    model = await open_llm(local_settings)
    yield model
    await model.close()


def gone(pid: int) -> bool:
    """Wait until the process has ended; False when it has not after ten seconds."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False


@pytest.mark.llm
async def test_yes_or_no_by_log_probability_with_a_shared_prefix(llm: CachedModel) -> None:
    yes = await llm.ask(question("Is Paris a city? Answer Yes or No.", top_logprobs=20))
    no = await llm.ask(question("Is cheese a city? Answer Yes or No.", top_logprobs=20))
    assert yes.first_token is not None
    assert no.first_token is not None
    assert len(yes.first_token) >= 19
    assert yes.first_token["Yes"] - yes.first_token["No"] > no.first_token["Yes"] - no.first_token["No"]
    assert yes.usage.cost == 0.0
    assert yes.usage.completion_tokens == 2
    assert no.usage.cached_prompt_tokens > 100, "the system prompt was not read again"
    assert no.usage.prompt_tokens > no.usage.cached_prompt_tokens


@pytest.mark.llm
async def test_schema_constrains(llm: CachedModel) -> None:
    answer = await llm.ask(question("Tag this: Paris and Rome.", max_tokens=40, json_schema=SCHEMA))
    assert "cities" in answer.text or "cheese" in answer.text
    assert answer.finish_reason == "stop"
    cut = await llm.ask(question("Tag this: Paris and Rome.", max_tokens=3, json_schema=SCHEMA))
    assert cut.finish_reason == "length"
    assert llm.limitations == ()


@pytest.mark.llm
async def test_answers_are_cached_by_the_file_not_by_its_path(
    llm: CachedModel, local_settings: Settings, local_model_path: Path, tmp_path: Path
) -> None:
    repeated = question("Is Rome a city?")
    first = await llm.ask(repeated)
    assert llm.local
    assert "1d9614638d18" in llm.identity
    link = tmp_path / "renamed.gguf"
    link.symlink_to(local_model_path)
    other = await open_llm(local_settings.model_copy(update={"model": f"local/{link}"}))
    second = await other.ask(repeated)
    await other.close()
    assert (second.text, second.usage.cached_answers) == (first.text, 1)


@pytest.mark.llm
async def test_too_long_a_prompt_is_reported(llm: CachedModel) -> None:
    with pytest.raises(ModelError, match="too long for this model"):
        await llm.ask(question("word " * 9000))


@pytest.mark.llm
async def test_cancelled_question_frees_the_model(llm: CachedModel) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(llm.ask(question("Count to a thousand.", max_tokens=2000)), timeout=1.0)
    answer = await asyncio.wait_for(llm.ask(question("Is Oslo a city?")), timeout=60.0)
    assert answer.usage.llm_calls == 1


@pytest.mark.llm
async def test_models_of_one_process_share_a_server(llm: CachedModel, local_settings: Settings) -> None:
    other = await open_llm(local_settings)
    assert process._shared == {}, "no question was sent yet"
    await asyncio.gather(llm.ask(question("Is Bonn a city?")), other.ask(question("Is Kiel a city?")))
    (shared,) = process._shared.values()
    assert shared.users == 2
    await other.close()
    await other.close()
    assert shared.users == 1
    assert shared.process.alive


@pytest.mark.llm
def test_server_ends_with_its_last_user(local_file: ModelFile, tmp_path: Path) -> None:
    server = acquire_server(local_file, tmp_path)
    pid = process._shared[local_file.sha256].process.pid
    assert server.address.startswith("http://127.0.0.1:")
    assert httpx.get(f"{server.address}/v1/models").status_code == 401, "nobody else may ask it"
    release_server(local_file, server)
    release_server(local_file, server)
    assert gone(pid)


@pytest.mark.llm
def test_server_that_died_is_started_again(local_file: ModelFile, tmp_path: Path) -> None:
    first = acquire_server(local_file, tmp_path)
    os.kill(process._shared[local_file.sha256].process.pid, signal.SIGKILL)
    process._shared[local_file.sha256].process.wait()
    second = acquire_server(local_file, tmp_path)
    assert second.address != first.address or second.key != first.key
    release_server(local_file, first)
    assert process._shared[local_file.sha256].process.alive
    release_server(local_file, second)


@pytest.mark.llm
def test_server_dies_with_a_killed_parent(local_file: ModelFile, tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from llm4tag.models.local import server_process as process; "
        "from llm4tag.models.local.model_files import ModelFile; "
        "process.acquire_server(ModelFile(path=Path(sys.argv[1]), sha256=sys.argv[2]), Path(sys.argv[3])); "
        "print(process._shared[sys.argv[2]].process.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", script, str(local_file.path), local_file.sha256, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    assert gone(pid)


@pytest.fixture
def served(local_file: ModelFile, local_settings: Settings) -> Iterator[str]:
    """A shared server in a process of its own, as ``llm4tag model serve`` runs it."""
    script = (
        "import sys; from pathlib import Path; from llm4tag.models.local.shared_server import serve; "
        "serve(sys.argv[1], Path(sys.argv[2]), ready=lambda address: print(address, flush=True))"
    )
    command = [sys.executable, "-c", script, local_settings.model, str(local_settings.cache_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        process.wait()
    assert not state_path(local_settings.cache_dir, local_file.sha256).exists()


@pytest.mark.llm
async def test_shared_server_is_found_and_used(
    served: str, local_settings: Settings, local_file: ModelFile
) -> None:
    found = await asyncio.to_thread(running_server, local_settings.cache_dir, local_file.sha256)
    assert found is not None
    assert found.address == served
    model = await open_llm(local_settings)
    assert (await model.ask(question("Is Bern a city?"))).usage.llm_calls == 1
    await model.close()
    assert process._shared == {}
    with pytest.raises(ModelError, match=f"is running at {served}"):
        await asyncio.to_thread(serve, local_settings.model, local_settings.cache_dir, ready=lambda _: None)
    state = state_path(local_settings.cache_dir, local_file.sha256)
    other = state_path(local_settings.cache_dir, "0" * 64)
    other.write_bytes(state.read_bytes())
    assert await asyncio.to_thread(running_server, local_settings.cache_dir, "0" * 64) is None, "another model"


def test_stale_or_damaged_state_is_nobody(tmp_path: Path) -> None:
    state = state_path(tmp_path, "0" * 64)
    state.parent.mkdir()
    state.write_text('{"address": "http://127.0.0.1:9", "pid": 1, "sha256": "00", "slots": 1, "started": "x"}')
    assert running_server(tmp_path, "0" * 64) is None
    state.write_text("{")
    assert running_server(tmp_path, "0" * 64) is None


def test_file_that_is_no_model_does_not_start(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"broken\.gguf: the local server did not start"):
        ServerProcess(ModelFile(path=path, sha256="0" * 64))


async def test_the_error_of_a_missing_model_says_how_to_download_it() -> None:
    model = await open_llm(settings(model="local/qwen2.5-coder-1.5b"))
    for _ in range(2):
        with pytest.raises(ModelNotFoundError, match="download the model"):
            await model.ask(question("Is Basel a city?"))
    await model.close()


async def test_cached_answers_need_neither_file_nor_server() -> None:
    chosen = settings(model="local/qwen2.5-coder-1.5b")
    cache = AnswerCache(chosen.cache_dir, f"local@sha256:{known_model(chosen.model).sha256}")
    await cache.put(question("Is Bern a city?"), Answer(text="Yes", finish_reason="stop"))
    await cache.close()
    model = await open_llm(chosen)
    answer = await model.ask(question("Is Bern a city?"))
    assert (answer.text, answer.usage.cached_answers, model.local, model.limitations) == ("Yes", 1, True, ())
    await model.close()


def test_no_thread_is_left_reading(tmp_path: Path) -> None:
    before = threading.active_count()
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"not a model")
    with pytest.raises(ModelError):
        ServerProcess(ModelFile(path=path, sha256="0" * 64))
    assert threading.active_count() <= before
