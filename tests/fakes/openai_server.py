"""A loopback server that speaks OpenAI's API and answers as a test scripts it.

with FakeOpenAI() as fake:
    fake.chat = lambda request: Reply("Yes", first_token={"Yes": -0.1, "No": -2.3})
    ... fake.api_base ... fake.chat_requests ...
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fakes.loopback import Loopback

Request = dict[str, Any]
"""The JSON body of a request."""


@dataclass(frozen=True)
class Reply:
    """An answer of the chat endpoint."""

    text: str = ""
    finish_reason: str = "stop"
    refusal: str | None = None
    first_token: dict[str, float] | None = None
    """Log-probabilities of the first token's alternatives, sent when the request asks for them; None: never."""
    prompt_tokens: int | None = None
    """None: one a word."""
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    delay: float = 0.0
    """Seconds before it is sent."""


@dataclass(frozen=True)
class Failure:
    """An error of any endpoint."""

    status: int
    message: str = "scripted failure"
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


@dataclass(frozen=True)
class Garbage:
    """A body that is no JSON."""

    body: bytes = b"<html>bad gateway</html>"
    status: int = 200


Answerer = Callable[[Request], "Reply | Failure | Garbage"]


def in_turn(*answers: Reply | Failure | Garbage) -> Answerer:
    """Return an answerer that gives the answers one after another, the last one for ever."""
    lock = threading.Lock()
    left: Iterator[Reply | Failure | Garbage] = iter(answers)
    last = answers[-1]

    def answer(_: Request) -> Reply | Failure | Garbage:
        with lock:
            return next(left, last)

    return answer


def pseudo_vector(text: str, dimensions: int = 8) -> list[float]:
    """Return a vector that depends only on the text and is not normalised."""
    digest = hashlib.sha256(text.encode()).digest()
    return [byte / 64 - 2 for byte in digest[:dimensions]]


class FakeOpenAI(Loopback):
    """The server; a context manager.

    Attributes:
        chat: answers ``POST /v1/chat/completions``.
        embed: gives the vector of one text, or a failure for its whole request.
        key: when set, requests without it get a 401.
        chat_requests: bodies of all chat requests, in order of arrival.
        embedding_requests: bodies of all embedding requests, in order of arrival.
    """

    def __init__(self) -> None:
        self.chat: Answerer = lambda _: Reply("ok")
        self.embed: Callable[[str], list[float] | Failure] = pseudo_vector
        self.key: str | None = None
        self.chat_requests: list[Request] = []
        self.embedding_requests: list[Request] = []
        self.most_at_once = 0
        self.disconnects = 0
        self._at_once = 0
        self._lock = threading.Lock()
        super().__init__(_Server(self))

    @property
    def api_base(self) -> str:
        """What to give as ``api_base``."""
        return f"{self.address}/v1"

    @property
    def prompts(self) -> list[str]:
        """All messages of each chat request, joined by newlines."""
        return [
            "\n".join(str(message["content"]) for message in request["messages"]) for request in self.chat_requests
        ]

    def respond(self, path: str, body: Request) -> Reply | Failure | Garbage | list[list[float]]:
        """Record a request and return what the script says to it."""
        if path.endswith("/chat/completions"):
            with self._lock:
                self.chat_requests.append(body)
                self._at_once += 1
                self.most_at_once = max(self.most_at_once, self._at_once)
            try:
                answer = self.chat(body)
                if isinstance(answer, Reply | Failure):
                    time.sleep(answer.delay)
                return answer
            finally:
                with self._lock:
                    self._at_once -= 1
        if path.endswith("/embeddings"):
            with self._lock:
                self.embedding_requests.append(body)
            return self._vectors(body["input"])
        return Failure(404, f"no such endpoint: {path}")

    def _vectors(self, texts: Iterable[str]) -> list[list[float]] | Failure:
        vectors: list[list[float]] = []
        for text in texts:
            vector = self.embed(text)
            if isinstance(vector, Failure):
                return vector
            vectors.append(vector)
        return vectors


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, fake: FakeOpenAI) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fake = fake

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that give up are part of the script."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Be quiet."""

    def do_GET(self) -> None:
        """List the models, which is what probes ask for."""
        status = 200 if self._may_ask() else 401
        self._write(status, json.dumps({"object": "list", "data": []}).encode(), {})

    def _may_ask(self) -> bool:
        key = self.server.fake.key
        return key is None or self.headers.get("Authorization") == f"Bearer {key}"

    def do_POST(self) -> None:
        fake = self.server.fake
        body: Request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._may_ask():
            sent = self.headers.get("Authorization", "").removeprefix("Bearer ")
            answer: Any = Failure(401, f"Incorrect API key provided: {sent}.", code="invalid_api_key")
        else:
            answer = fake.respond(self.path, body)
        try:
            self._send(answer, body)
        except OSError:
            fake.disconnects += 1

    def _send(self, answer: Any, request: Request) -> None:
        match answer:
            case Garbage():
                self._write(answer.status, answer.body, {"Content-Type": "text/html"})
            case Failure():
                error = {"message": answer.message, "type": "scripted", "code": answer.code, "param": None}
                self._write(answer.status, json.dumps({"error": error}).encode(), answer.headers)
            case Reply():
                self._write(200, json.dumps(_completion(answer, request)).encode(), {})
            case _:
                data = [
                    {"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(answer)
                ]
                usage = {"prompt_tokens": len(answer), "total_tokens": len(answer)}
                # The last first: clients go by the index.
                body = {"object": "list", "model": request["model"], "data": data[::-1], "usage": usage}
                self._write(200, json.dumps(body).encode(), {})

    def _write(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            **headers,
            "Content-Length": str(len(body)),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _completion(reply: Reply, request: Request) -> dict[str, Any]:
    prompt_tokens = reply.prompt_tokens
    if prompt_tokens is None:
        prompt_tokens = sum(len(str(message["content"]).split()) for message in request["messages"])
    completion_tokens = len(reply.text.split()) if reply.completion_tokens is None else reply.completion_tokens
    usage: dict[str, Any] = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
    if reply.cached_tokens is not None:
        usage["prompt_tokens_details"] = {"cached_tokens": reply.cached_tokens}
    message = {"role": "assistant", "content": reply.text, "refusal": reply.refusal}
    choice: dict[str, Any] = {
        "index": 0,
        "finish_reason": reply.finish_reason,
        "message": message,
        "logprobs": None,
    }
    if reply.first_token is not None and request.get("logprobs"):
        choice["logprobs"] = {"content": [_token(reply.first_token, request.get("top_logprobs") or 0)]}
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 0,
        "model": request["model"],
        "choices": [choice],
        "usage": usage,
    }


def _token(alternatives: dict[str, float], top: int) -> dict[str, Any]:
    ranked = sorted(alternatives.items(), key=lambda pair: -pair[1])
    entries: list[dict[str, Any]] = [
        {"token": token, "logprob": logprob, "bytes": list(token.encode())} for token, logprob in ranked
    ]
    return {**entries[0], "top_logprobs": entries[:top]}
