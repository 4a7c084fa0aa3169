"""The web page of a server, at ``/app``: built by Vite from ``web/``, shipped in ``llm4tag/web``.

It shows contents that cannot be trusted, and inserts them as text. In case that fails somewhere, its headers let
the browser run no script but the page's own files, load nothing from elsewhere, and make no markup of text.
"""

import hashlib
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import PathLike, StaticFiles
from starlette.types import Scope

_BUILD = Path(__file__).parents[1] / "web"
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class _Assets(StaticFiles):
    """Files whose names have a hash of their contents, so that browsers may cache them for good."""

    def file_response(
        self, full_path: PathLike, stat_result: object, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)  # type: ignore[arg-type]
        response.headers.update({**_HEADERS, "Cache-Control": "public, max-age=31536000, immutable"})
        return response


@cache
def _index() -> tuple[bytes, str]:
    """Return the page and its ETag, a hash of it, as all files of a package may have the same time."""
    body = (_BUILD / "index.html").read_bytes()
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _page(request: Request) -> Response:
    # Not async, so that Starlette reads the file in a thread.
    body, etag = _index()
    headers = {**_HEADERS, "Cache-Control": "no-cache", "ETag": etag}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return HTMLResponse(body, headers=headers)


def _without_slash(request: Request) -> Response:
    return RedirectResponse("../app")


routes: list[BaseRoute] = [
    Route("/app", _page, include_in_schema=False),
    Route("/app/", _without_slash, include_in_schema=False),
    # The folder is looked at with the first request: nothing is read at import.
    Mount("/app/assets", _Assets(directory=_BUILD / "app" / "assets", check_dir=False)),
]
"""Mounted by ``llm4tag.serving.app``. The page is public, since it has no data; its requests need a key."""
