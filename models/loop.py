"""The one event loop, on a thread of its own, on which every provider is called.

LiteLLM ties its clients to the loop that first used them and blocks it now and then; callers come with loops
of their own (one for each ``asyncio.run``) and may not be blocked.
"""

import asyncio
import atexit
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


async def on_provider_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` on the providers' loop and wait for it without blocking the caller's.

    Cancelling the caller cancels ``work``; exceptions come through.
    """
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, _running_loop()))


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            thread = threading.Thread(target=_loop.run_forever, name="llm4tag-providers", daemon=True)
            thread.start()
            atexit.register(_stop, _loop, thread)
        return _loop


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    async def finish() -> None:
        tasks = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await _close_clients()

    try:
        asyncio.run_coroutine_threadsafe(finish(), loop).result(timeout=5)
    except TimeoutError:
        return
    loop.call_soon_threadsafe(loop.stop)
    thread.join(timeout=5)
    loop.close()


async def _close_clients() -> None:
    import sys

    litellm = sys.modules.get("litellm")
    if litellm is not None:
        await litellm.close_litellm_async_clients()
