"""A provider's LLM through LiteLLM, against a loopback provider."""

import asyncio
from typing import Any

import pytest

from llm4tag.models import CachedModel, open_llm
from llm4tag.schema import ModelError, Settings
from tests.fakes.llm_questions import question
from tests.fakes.openai_server import Failure, FakeOpenAI, Garbage, Reply, in_turn

pytestmark = pytest.mark.usefixtures("no_waiting")

SCHEMA = {"type": "object", "properties": {"tags": {"type": "array"}}, "required": ["tags"]}


async def test_answer_with_usage_and_the_whole_prompt(llm: CachedModel, fake: FakeOpenAI) -> None:
    fake.chat = lambda _: Reply("Yes.", prompt_tokens=40, completion_tokens=2, cached_tokens=32)
    answer = await llm.ask(question(seed=7, temperature=0.5))
    assert (answer.text, answer.finish_reason, answer.refusal, answer.first_token) == ("Yes.", "stop", "", None)
    assert answer.usage.llm_calls == 1
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (40, 2)
    assert answer.usage.cached_prompt_tokens == 32
    assert answer.usage.seconds > 0
    assert answer.usage.cost is None, "nobody knows the price of openai/fake"
    (request,) = fake.chat_requests
    assert request["messages"] == [
        {"role": "system", "content": "You tag."},
        {"role": "user", "content": "Is Paris a city?"},
    ]
    assert (request["max_tokens"], request["temperature"], request["seed"]) == (5, 0.5, 7)
    assert "logprobs" not in request
    assert "response_format" not in request


async def test_known_price_is_counted(fake: FakeOpenAI, fake_settings: Settings) -> None:
    fake.chat = lambda _: Reply("Yes", prompt_tokens=1_000_000, completion_tokens=0)
    model = await open_llm(fake_settings.model_copy(update={"model": "openai/gpt-4o-mini"}))
    answer = await model.ask(question())
    await model.close()
    assert answer.usage.cost == pytest.approx(0.15)


async def test_first_token_alternatives(llm: CachedModel, fake: FakeOpenAI) -> None:
    fake.chat = lambda _: Reply("Yes", first_token={"Yes": 0.0, " No": -2.5})
    answer = await llm.ask(question(top_logprobs=20))
    assert answer.first_token == {"Yes": 0.0, " No": -2.5}
    assert fake.chat_requests[0]["top_logprobs"] == 20


async def test_provider_without_logprobs(llm: CachedModel, fake: FakeOpenAI) -> None:
    fake.chat = lambda _: Reply("Yes")
    assert (await llm.ask(question(top_logprobs=20))).first_token is None


async def test_impossible_token_is_left_out(llm: CachedModel, fake: FakeOpenAI) -> None:
    fake.chat = lambda _: Reply("Yes", first_token={"Yes": -0.1, "No": float("-inf")})
    repeated = question(top_logprobs=5)
    first, second = await llm.ask(repeated), await llm.ask(repeated)
    assert first.first_token == second.first_token == {"Yes": -0.1}


async def test_schema_is_sent_strict(llm: CachedModel, fake: FakeOpenAI) -> None:
    await llm.ask(question(json_schema=SCHEMA))
    sent = fake.chat_requests[0]["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["strict"] is True
    assert sent["json_schema"]["schema"] == SCHEMA


async def test_refused_parameter_is_left_out_and_reported(llm: CachedModel, fake: FakeOpenAI) -> None:
    def picky(request: dict[str, Any]) -> Reply | Failure:
        if "response_format" in request:
            return Failure(400, "'response_format' of type 'json_schema' is not supported with this model.")
        return Reply('{"tags": []}')

    fake.chat = picky
    for text in ("one", "two"):
        assert (await llm.ask(question(text, json_schema=SCHEMA))).text == '{"tags": []}'
    assert ["response_format" in request for request in fake.chat_requests] == [True, False, False]
    (note,) = llm.limitations
    assert "response_format" in note


async def test_refused_logprobs_leave_both_parameters_out(llm: CachedModel, fake: FakeOpenAI) -> None:
    fake.chat = in_turn(Failure(400, "logprobs are not supported"), Reply("Yes"))
    assert (await llm.ask(question(top_logprobs=5))).first_token is None
    assert "top_logprobs" not in fake.chat_requests[1]
    assert len(llm.limitations) == 2


async def test_another_bad_request_is_an_error_at_once(llm: CachedModel, fake: FakeOpenAI) -> None:
    fake.chat = lambda _: Failure(400, "messages must not be funny")
    with pytest.raises(ModelError, match="messages must not be funny; check model and api_base"):
        await llm.ask(question(json_schema=SCHEMA))
    assert len(fake.chat_requests) == 1
    assert llm.limitations == ()


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply("", refusal="I cannot help with that"), ("", "stop", "I cannot help with that")),
        (Reply("", finish_reason="content_filter"), ("", "content_filter", "")),
        (Reply('{"tags": ["a', finish_reason="length"), ('{"tags": ["a', "length", "")),
        (Reply("tags? no idea"), ("tags? no idea", "stop", "")),
    ],
)
async def test_refusal_truncation_and_garbage_are_answers(
    llm: CachedModel, fake: FakeOpenAI, reply: Reply, expected: tuple[str, str, str]
) -> None:
    fake.chat = lambda _: reply
    answer = await llm.ask(question(json_schema=SCHEMA))
    assert (answer.text, answer.finish_reason, answer.refusal) == expected


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_transient_errors_are_tried_again(llm: CachedModel, fake: FakeOpenAI, status: int) -> None:
    fake.chat = in_turn(Failure(status), Failure(status), Reply("Yes"))
    answer = await llm.ask(question())
    assert answer.text == "Yes"
    assert len(fake.chat_requests) == 3


@pytest.mark.parametrize("attempts", [1, 2, 4])
@pytest.mark.parametrize("status", [429, 500])
async def test_one_retry_layer_only(fake: FakeOpenAI, fake_settings: Settings, status: int, attempts: int) -> None:
    fake.chat = lambda _: Failure(status, "not today")
    model = await open_llm(fake_settings.model_copy(update={"max_attempts": attempts}))
    with pytest.raises(ModelError, match="not today"):
        await model.ask(question())
    await model.close()
    assert len(fake.chat_requests) == attempts


async def test_timeout_is_tried_again_and_then_reported(fake: FakeOpenAI, fake_settings: Settings) -> None:
    fake.chat = lambda _: Reply("late", delay=3.0)
    model = await open_llm(fake_settings.model_copy(update={"max_attempts": 2, "timeout": 1.0}))
    with pytest.raises(
        ModelError, match="no answer in time; allow more time with LLM4TAG_TIMEOUT or lower concurrency"
    ):
        await model.ask(question())
    await model.close()
    assert len(fake.chat_requests) == 2


async def test_server_that_is_not_there(fake_settings: Settings) -> None:
    with FakeOpenAI() as gone:
        base = gone.api_base
    model = await open_llm(fake_settings.model_copy(update={"api_base": base}))
    with pytest.raises(ModelError, match=f"is a server running at {base}"):
        await model.ask(question())
    await model.close()


async def test_body_that_is_no_json(llm: CachedModel, fake: FakeOpenAI) -> None:
    fake.chat = lambda _: Garbage()
    with pytest.raises(ModelError, match="openai/fake"):
        await llm.ask(question())


async def test_wrong_key_names_the_variable_and_hides_the_key(llm: CachedModel, fake: FakeOpenAI) -> None:
    fake.key = "another"
    with pytest.raises(ModelError) as caught:
        await llm.ask(question())
    assert "set OPENAI_API_KEY or LLM4TAG_API_KEY to a key" in str(caught.value)
    assert "Incorrect API key provided: ***" in str(caught.value)
    assert "secret-of-the-test" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert len(fake.chat_requests) == 0


async def test_the_error_of_an_unknown_provider_says_how_to_name_one() -> None:
    model = await open_llm(Settings(model="nobody-has-this", max_attempts=1))
    with pytest.raises(ModelError, match="PROVIDER/NAME"):
        await model.ask(question())
    await model.close()


async def test_identity_names_the_endpoint_without_its_password(fake_settings: Settings) -> None:
    model = await open_llm(fake_settings.model_copy(update={"api_base": "http://me:word@127.0.0.1:9/v1"}))
    assert model.identity == "openai/fake@http://127.0.0.1:9/v1"
    assert (model.name, model.local) == ("openai/fake", False)
    await model.close()


async def test_lone_surrogates_of_a_provider_are_replaced(llm: CachedModel, fake: FakeOpenAI) -> None:
    fake.chat = lambda _: Reply("a\ud800b")
    repeated = question()
    assert [(await llm.ask(repeated)).text for _ in range(2)] == ["a?b", "a?b"]


def test_several_event_loops(fake: FakeOpenAI, fake_settings: Settings) -> None:
    model = asyncio.run(open_llm(fake_settings))
    texts = [asyncio.run(model.ask(question(f"question {number}"))).text for number in range(3)]
    asyncio.run(model.close())
    assert texts == ["ok", "ok", "ok"]
    asyncio.run(model.close())
