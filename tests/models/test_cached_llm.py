"""Answers of a provider's LLM are saved, and a question in flight is sent once."""

import asyncio
import json

import pytest

from llm4tag.models import Answer, CachedModel, open_llm
from llm4tag.schema import ModelError, ModelSetupError, Settings
from tests.fakes.llm_questions import question
from tests.fakes.openai_server import Failure, FakeOpenAI, Reply, in_turn

pytestmark = pytest.mark.usefixtures("no_waiting")


async def test_cached_answer_is_replayed_without_a_request(fake: FakeOpenAI, fake_settings: Settings) -> None:
    fake.chat = lambda _: Reply("Yes", first_token={"Yes": -0.1, "No": -2.4}, finish_reason="length")
    repeated = question(top_logprobs=3)
    answers: list[Answer] = []
    for _ in range(2):
        model = await open_llm(fake_settings)
        answers.append(await model.ask(repeated))
        await model.close()
    first, second = answers
    assert len(fake.chat_requests) == 1
    assert second.model_copy(update={"usage": first.usage}) == first
    assert (second.usage.llm_calls, second.usage.cached_answers, second.usage.prompt_tokens) == (0, 1, 0)


async def test_any_difference_makes_another_question(
    llm: CachedModel, fake: FakeOpenAI, fake_settings: Settings
) -> None:
    await llm.ask(question())
    for other in (question("Is Rome?"), question(seed=1), question(temperature=1.0), question(max_tokens=6)):
        await llm.ask(other)
    assert len(fake.chat_requests) == 5
    renamed = await open_llm(fake_settings.model_copy(update={"model": "openai/other"}))
    await renamed.ask(question())
    await renamed.close()
    assert len(fake.chat_requests) == 6


async def test_switched_off_cache_sends_each_question(fake: FakeOpenAI, fake_settings: Settings) -> None:
    model = await open_llm(fake_settings.model_copy(update={"answer_cache": False}))
    await asyncio.gather(model.ask(question()), model.ask(question()))
    await model.close()
    assert len(fake.chat_requests) == 2
    assert not (fake_settings.cache_dir / "answers").exists()


async def test_errors_are_not_cached(llm: CachedModel, fake: FakeOpenAI) -> None:
    fake.chat = in_turn(Failure(404, "no such model"), Reply("Yes"))
    with pytest.raises(ModelError, match="no such model"):
        await llm.ask(question())
    assert (await llm.ask(question())).text == "Yes"


async def test_identical_questions_in_flight_are_sent_once(llm: CachedModel, fake: FakeOpenAI) -> None:
    fake.chat = lambda _: Reply("Yes", delay=0.3)
    answers = await asyncio.gather(*(llm.ask(question()) for _ in range(5)))
    assert len(fake.chat_requests) == 1
    assert sorted(answer.usage.llm_calls for answer in answers) == [0, 0, 0, 0, 1]


async def test_error_of_a_shared_question_reaches_all(llm: CachedModel, fake: FakeOpenAI) -> None:
    fake.chat = lambda _: Failure(404, "no such model", delay=0.2)
    results = await asyncio.gather(*(llm.ask(question()) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [ModelSetupError] * 3
    assert len(fake.chat_requests) == 1


async def test_one_of_two_waiting_may_give_up(llm: CachedModel, fake: FakeOpenAI) -> None:
    fake.chat = lambda _: Reply("Yes", delay=0.3)
    first, second = (asyncio.create_task(llm.ask(question())) for _ in range(2))
    await asyncio.sleep(0.1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (await second).text == "Yes"
    assert len(fake.chat_requests) == 1


async def test_cancelled_question_is_given_up_and_not_cached(llm: CachedModel, fake: FakeOpenAI) -> None:
    fake.chat = lambda _: Reply("late", delay=0.5)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(llm.ask(question()), timeout=0.1)
    fake.chat = lambda _: Reply("fresh")
    assert (await llm.ask(question())).text == "fresh"


async def test_a_damaged_cache_entry_is_replaced(fake: FakeOpenAI, fake_settings: Settings) -> None:
    from llm4tag.models.disk_cache import DiskCache

    model = await open_llm(fake_settings)
    await model.ask(question())
    store = DiskCache(fake_settings.cache_dir / "answers", 1 << 20)
    await store.put({question().key(model.identity): json.dumps({"text": 1}).encode()})
    await store.close()
    assert (await model.ask(question())).usage.llm_calls == 1
    await model.close()


async def test_unusable_cache_folder_names_it(fake_settings: Settings) -> None:
    (fake_settings.cache_dir / "answers").write_text("in the way")
    model = await open_llm(fake_settings)
    with pytest.raises(ModelError, match="answers: the cache cannot be used"):
        await model.ask(question())
    await model.close()
