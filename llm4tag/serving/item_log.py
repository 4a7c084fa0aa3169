"""The log of the server: one line of JSON for each item, and for other events."""

import json
import logging
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler

from llm4tag.schema import Decision

log = logging.getLogger("llm4tag.served")
"""Its records have their fields in ``fields``; see ``JsonLines``."""


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON: time, level, event, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        return json.dumps(line, ensure_ascii=False, default=str)


def say(event: str, level: int = logging.INFO, **fields: Any) -> None:
    """Write one line."""
    log.log(level, event, extra={"fields": fields})


class ItemLog(AsyncCallbackHandler):
    """Writes a line for each run of the tagging graph, however it ends."""

    def __init__(self) -> None:
        self._running: dict[UUID, tuple[float, str | None]] = {}

    @property
    def running(self) -> int:
        """How many runs are under way."""
        return len(self._running)

    async def on_chain_start(
        self,
        serialized: dict[str, Any] | None,
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """Note when a run began; runs with a parent are nodes, and are skipped."""
        if parent_run_id is None:
            given = inputs.get("id") if isinstance(inputs, Mapping) else None
            self._running[run_id] = (time.monotonic(), given)

    async def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Log the result of a run."""
        if run_id in self._running:
            seconds, given = self._ended(run_id)
            if isinstance(outputs, Mapping) and isinstance(outputs.get("tags"), list):
                say("tagged", run=run_id, **item(outputs, seconds))
            else:
                say("interrupted", run=run_id, id=given, seconds=seconds)

    async def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Log why there is no result."""
        if run_id in self._running:
            seconds, given = self._ended(run_id)
            if isinstance(error, Exception):
                found = {"error": type(error).__name__, "message": str(error)}
                say("failed", logging.ERROR, run=run_id, id=given, seconds=seconds, **found)
            else:
                say("cancelled", logging.WARNING, run=run_id, id=given, seconds=seconds)

    def _ended(self, run_id: UUID) -> tuple[float, str | None]:
        started, given = self._running.pop(run_id)
        return round(time.monotonic() - started, 4), given


def item(result: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Return the fields of a result that are logged; its text is never among them."""
    usage, origin = result["usage"], result["origin"]
    return {
        "id": result["id"],
        "seconds": seconds,
        "accepted": sum(tag["decision"] == Decision.ACCEPT for tag in result["tags"]),
        "candidates": len(result["tags"]),
        "llm_calls": usage["llm_calls"],
        "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": usage["completion_tokens"],
        "rounds": result["rounds"],
        "fit": origin["fit"],
        "degraded": result["degraded"],
    }
