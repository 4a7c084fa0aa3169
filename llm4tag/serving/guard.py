"""The outermost check of requests: by which name they reach the server, and none to what LangGraph leaves open.

The in-memory runtime answers ``/internal/truncate`` (which empties it) and ``/deploy`` (which starts a program) to
anyone, without authentication. A web page whose own name resolves to 127.0.0.1 would get past CORS.
"""

import os

from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

HOSTS_VARIABLE = "LLM4TAG_SERVE_HOSTS"
"""Names by which the server may be reached, separated by commas; not set: by any."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_CLOSED = ("/internal", "/deploy")


class Guard:
    """Middleware around the whole server."""

    def __init__(self, app: ASGIApp) -> None:
        hosts = [name for name in os.environ.get(HOSTS_VARIABLE, "").split(",") if name]
        self._app = app
        self._by_name = TrustedHostMiddleware(app, allowed_hosts=hosts or ["*"], www_redirect=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        within = str(scope.get("root_path", "")).startswith("/noauth")  # the server's own calls, such as MCP's
        path = str(scope.get("path", ""))
        if any(path == closed or path.startswith(f"{closed}/") for closed in _CLOSED):
            await JSONResponse({"detail": "Not Found"}, status_code=404)(scope, receive, send)
        elif within:
            await self._app(scope, receive, send)
        else:
            await self._by_name(scope, receive, send)
