"""How the server ends: what is under way is finished if time allows, and what is not is said."""

import asyncio
import logging
import os
import time

from llm4tag.serving.item_log import ItemLog, say

GRACE_VARIABLE = "LLM4TAG_SERVE_GRACE"
"""Seconds that runs under way get to finish; not set: whoever runs the server sees to that."""
_LOOK = 0.05


async def finish_runs(items: ItemLog) -> bool:
    """Wait for the runs under way and those that wait for a worker; say what came of it.

    Runs on threads that are left go on when a server is started with the same state.

    Returns:
        Whether all are finished.
    """
    given = os.environ.get(GRACE_VARIABLE)
    if given is None:
        return True
    started = time.monotonic()
    at_first = await _left(items)
    left = at_first
    while left and time.monotonic() - started < float(given):
        await asyncio.sleep(_LOOK)
        left = await _left(items)
    level = logging.WARNING if left else logging.INFO
    say("ended", level, finished=at_first - left, left=left, seconds=round(time.monotonic() - started, 2))
    return not left


async def _left(items: ItemLog) -> int:
    from langgraph_runtime.database import connect
    from langgraph_runtime.ops import Runs

    async with connect() as connection:
        stats = await Runs.stats(connection)
    waiting: int = stats["n_pending"] + stats["n_running"]
    return max(items.running, waiting)
