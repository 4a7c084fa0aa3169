"""How the server ends: runs that are under way are finished if time allows, and the others are logged."""

import asyncio
import logging
import os
import time

from llm4tag.serving.item_log import ItemLog, say

GRACE_VARIABLE = "LLM4TAG_SERVE_GRACE"
"""The variable with the seconds that runs get to finish; not set: whoever runs the server waits for them."""
_INTERVAL = 0.05
"""Seconds between two looks at the runs that are left."""


async def finish_runs(items: ItemLog) -> bool:
    """Wait for the runs that are under way or wait for a worker, and log the outcome.

    Runs of threads that are left go on when a server is started with the same state.

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
        await asyncio.sleep(_INTERVAL)
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
