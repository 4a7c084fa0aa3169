"""Whose turn it is at a local model."""

import asyncio

import pytest

from llm4tag.models.turns import Turns


async def take(turns: Turns, prompt: str, order: list[str], hold: asyncio.Event | None = None) -> None:
    async with turns.turn(prompt):
        order.append(prompt)
        if hold is not None:
            await hold.wait()


async def started(*tasks: asyncio.Task[None]) -> None:
    for _ in range(3 * len(tasks) + 3):
        await asyncio.sleep(0)


async def test_prompts_of_the_same_content_follow_each_other() -> None:
    turns, order, hold = Turns(1), list[str](), asyncio.Event()
    tasks = [asyncio.create_task(take(turns, "a cat: 1", order, hold))]
    await started(*tasks)
    for prompt in ("a dog: 1", "a cat: 2", "a dog: 2", "a cat: 3"):
        tasks.append(asyncio.create_task(take(turns, prompt, order)))
    await started(*tasks)
    hold.set()
    await asyncio.gather(*tasks)
    assert order == ["a cat: 1", "a cat: 2", "a cat: 3", "a dog: 1", "a dog: 2"]


async def test_no_more_at_once_than_slots() -> None:
    turns, order, hold = Turns(2), list[str](), asyncio.Event()
    tasks = [asyncio.create_task(take(turns, str(number), order, hold)) for number in range(5)]
    await started(*tasks)
    assert len(order) == 2
    hold.set()
    await asyncio.gather(*tasks)
    assert len(order) == 5


async def test_who_gives_up_while_waiting_holds_nobody_up() -> None:
    turns, order, hold = Turns(1), list[str](), asyncio.Event()
    first = asyncio.create_task(take(turns, "first", order, hold))
    second = asyncio.create_task(take(turns, "second", order))
    third = asyncio.create_task(take(turns, "third", order))
    await started(first, second, third)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    hold.set()
    await asyncio.gather(first, third)
    assert order == ["first", "third"]


async def test_turn_that_came_to_one_who_gave_up_is_passed_on() -> None:
    turns, order, hold = Turns(1), list[str](), asyncio.Event()
    first = asyncio.create_task(take(turns, "first", order, hold))
    second = asyncio.create_task(take(turns, "second", order))
    third = asyncio.create_task(take(turns, "third", order))
    await started(first, second, third)
    hold.set()
    await asyncio.sleep(0)  # the first is done and has passed its turn on; the second has not run yet
    second.cancel()
    await asyncio.gather(first, second, third, return_exceptions=True)
    assert "third" in order


async def test_error_gives_the_turn_back() -> None:
    turns = Turns(1)
    with pytest.raises(ValueError, match="broken"):
        async with turns.turn("one"):
            raise ValueError("broken")
    async with asyncio.timeout(1), turns.turn("two"):
        pass
