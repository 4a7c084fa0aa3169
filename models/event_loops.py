"""Event loops on threads of their own, for clients that are tied to the loop that first used them.

Callers have loops of their own (one for each ``asyncio.run``), which must not be blocked.
"""

import asyncio
import atexit
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_STOP_SECONDS = 5.0


class LoopThread:
    """One event loop on a daemon thread; it starts at the first use and stops when the interpreter ends.

    Args:
        name: the thread's name.
        at_exit: called on the loop before it stops.
    """

    def __init__(self, name: str, at_exit: Callable[[], Awaitable[None]] | None = None) -> None:
        self._name = name
        self._at_exit = at_exit
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` on the loop and wait for it without blocking the caller's loop.

        Cancelling the caller cancels ``work``; its exceptions are raised here.
        """
        loop = self._running()
        if asyncio.get_running_loop() is loop:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
                thread.start()
                atexit.register(self._stop, self._loop, thread)
            return self._loop

    def _stop(self, loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
        async def finish() -> None:
            tasks = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._at_exit is not None:
                await self._at_exit()

        try:
            asyncio.run_coroutine_threadsafe(finish(), loop).result(timeout=_STOP_SECONDS)
        except TimeoutError:
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=_STOP_SECONDS)
        loop.close()


async def _close_provider_clients() -> None:
    litellm = sys.modules.get("litellm")
    if litellm is not None:
        await litellm.close_litellm_async_clients()


_providers = LoopThread("llm4tag-providers", _close_provider_clients)


async def on_provider_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` on the loop that calls all providers; LiteLLM sometimes blocks its loop, never the caller's."""
    return await _providers.run(work)
