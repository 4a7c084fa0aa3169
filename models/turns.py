"""The order of prompts at a model that reads one prompt at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Lets ``slots`` prompts through at once; of those waiting, the one most like the last goes first.

    The server remembers the last prompt that it read, so a question about the same content takes a fraction of the
    time of one about another. If questions had their turns in the order of arrival, each content would be read
    again for each of its questions. All methods must be called on one event loop.

    Args:
        slots: how many prompts the server answers at the same time.
    """

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._last = ""
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def turn(self, prompt: str) -> AsyncIterator[None]:
        """Wait for a turn with this prompt, and hold it inside ``with``."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(prompt)
        self._last = prompt
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, prompt: str) -> None:
        entry = (prompt, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        try:
            await entry[1]
        except asyncio.CancelledError:
            if entry in self._waiting:
                self._waiting.remove(entry)
            else:  # the turn had come just before the cancellation
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        if not self._waiting:
            self._free += 1
            return
        # max() keeps the first of equals: those that came first.
        best = max(self._waiting, key=lambda entry: _shared_start(self._last, entry[0]))
        self._waiting.remove(best)
        best[1].set_result(None)


def _shared_start(one: str, other: str) -> int:
    """Return how many characters both texts begin with, by bisection: prompts are long."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
