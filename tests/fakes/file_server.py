"""A loopback HTTP server of one file, with ranges, that can break off."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fakes.loopback import Loopback


class FileServer(Loopback):
    """Serves ``body`` under every path; a context manager.

    Attributes:
        body: the file.
        break_after: bytes after which a response breaks off, None for never.
        status: answered instead of the file, when set.
        ranges: the ``Range`` header of each request, empty where there was none.
        paths: the path of each request.
    """

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.break_after: int | None = None
        self.status: int | None = None
        self.ranges: list[str] = []
        self.paths: list[str] = []
        super().__init__(_Server(self))

    @property
    def url(self) -> str:
        """The server's address."""
        return self.address


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, files: FileServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Be quiet."""

    def do_GET(self) -> None:
        files = self.server.files
        wanted = self.headers.get("Range", "")
        files.ranges.append(wanted)
        files.paths.append(self.path)
        if files.status is not None:
            self.send_error(files.status)
            return
        start = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else 0
        rest = files.body[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if files.break_after is not None:
            self.wfile.write(rest[: files.break_after])
            self.close_connection = True
            return
        self.wfile.write(rest)
