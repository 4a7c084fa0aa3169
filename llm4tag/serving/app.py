"""What the server answers in addition to LangGraph's own API: ``http.app`` of its configuration."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from llm4tag.graphs.context import close_shared_runtimes
from llm4tag.models import tracing
from llm4tag.serving import web_page as page
from llm4tag.serving.auth import key_in
from llm4tag.serving.guard import Guard
from llm4tag.serving.health import Health
from llm4tag.serving.item_log import say
from llm4tag.serving.served_graph import items, options
from llm4tag.serving.shutdown import finish_runs


async def health(request: Request) -> Response:
    """Answer that the process is up, and how many runs are under way, without asking store or model."""
    return JSONResponse({"status": "ok", "version": version("llm4tag"), "running": items.running})


async def ready(request: Request) -> Response:
    """Answer whether store and model are up: 200 or 503. Only callers with a key see the reasons."""
    found = await request.app.state.health.readiness()
    known = await asyncio.to_thread(key_in, dict(request.scope["headers"])) is not None
    shown = found if known else found.without_reasons()
    return JSONResponse(shown.model_dump(), status_code=200 if found.ready else 503)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Open store and model before the first request; at the end, let runs finish.

    LangGraph's own lifespan is around this one, so its workers still work while this one ends.
    """
    app.state.health = Health(options())
    await asyncio.to_thread(tracing.set_up)
    opening = asyncio.create_task(_open(app.state.health))
    say("serving", address=os.environ.get("LANGGRAPH_API_URL", ""))
    try:
        yield
    finally:
        opening.cancel()
        if await finish_runs(items):
            await close_shared_runtimes()
        await asyncio.to_thread(tracing.flush)


async def _open(server: Health) -> None:
    found = await server.readiness()
    say(
        "ready" if found.ready else "not ready",
        logging.INFO if found.ready else logging.ERROR,
        **found.model_dump(),
    )


app = Starlette(
    routes=[Route("/health", health), Route("/ready", ready), *page.routes],
    middleware=[Middleware(Guard)],
    lifespan=lifespan,
)
"""Merged into LangGraph's server, which serves all that it does not name."""
