"""A loopback server with the page and, in place of LangGraph's API, what a test scripts.

with PageServer() as server:
    server.answer = streamed(custom({"stage": "fuse_candidates", …}), values(result))
    ... server.address ... server.requests ...
"""

import asyncio
import json
import queue
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from llm4tag.schema import TagResult
from llm4tag.serving.web_page import routes

Answer = Callable[[Request], Awaitable[Response]]


def event(name: str, data: object) -> bytes:
    """Return one server-sent event."""
    return f"event: {name}\r\ndata: {json.dumps(data, ensure_ascii=False)}\r\n\r\n".encode()


def custom(data: dict[str, Any]) -> bytes:
    """Return what a node streams."""
    return event("custom", data)


def values(result: TagResult) -> bytes:
    """Return the state at the end of a run."""
    return event("values", result.model_dump(mode="json", exclude={"text", "title"}))


def streamed(*chunks: bytes) -> Answer:
    """Return an answer that sends these and ends."""

    async def answer(_: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield event("metadata", {"run_id": "1", "attempt": 1})
            for chunk in chunks:
                yield chunk
                await asyncio.sleep(0)

        return StreamingResponse(body(), media_type="text/event-stream")

    return answer


def refused(status: int, detail: str) -> Answer:
    """Return an answer with an error as LangGraph's server gives it."""

    async def answer(_: Request) -> Response:
        return JSONResponse({"detail": detail}, status_code=status)

    return answer


class ScriptedSteps:
    """An answer that sends what it is given when it is given it; None ends it."""

    def __init__(self) -> None:
        self.left = threading.Event()
        """Set when the other side went away."""
        self._queue: queue.Queue[bytes | None] = queue.Queue()

    def send(self, chunk: bytes | None) -> None:
        """Send these bytes now."""
        self._queue.put(chunk)

    async def __call__(self, request: Request) -> Response:
        """Answer a request."""

        async def body() -> AsyncIterator[bytes]:
            try:
                while True:
                    try:
                        chunk = self._queue.get_nowait()
                    except queue.Empty:
                        await asyncio.sleep(0.01)
                        continue
                    if chunk is None:
                        return
                    yield chunk
            except asyncio.CancelledError:
                self.left.set()
                raise

        return StreamingResponse(body(), media_type="text/event-stream")


class PageServer:
    """The server; a context manager.

    Attributes:
        answer: answers ``POST /runs/stream``.
        requests: headers and JSON body of each, in order of arrival.
    """

    def __init__(self) -> None:
        self.answer: Answer = streamed()
        self.requests: list[tuple[dict[str, str], Any]] = []
        self.address = ""
        app = Starlette(routes=[*routes, Route("/runs/stream", self._run, methods=["POST"])])
        config = uvicorn.Config(app, host="127.0.0.1", port=0, ws="none", lifespan="off", log_level="error")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    async def _run(self, request: Request) -> Response:
        self.requests.append((dict(request.headers), await request.json()))
        return await self.answer(request)

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        self.address = "http://127.0.0.1:{1}".format(*self._server.servers[0].sockets[0].getsockname())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(20)
