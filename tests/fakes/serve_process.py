"""A server of ``llm4tag serve``: the real command in a process of its own, on a free port of the loopback."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import SyncLangGraphClient

PATIENCE = 90.0
TEXT = "a mail reader with imap"
RECALL = {"use_llm": False}


@dataclass
class ServeProcess:
    """A running server."""

    address: str
    folder: Path
    """The folder that the server was started in; its cache is below."""
    process: "subprocess.Popen[bytes]"
    key: str = ""
    clients: dict[str, SyncLangGraphClient] = field(default_factory=dict)

    def client(self, key: str | None = None) -> SyncLangGraphClient:
        """Return LangGraph's client; closed with the server."""
        key = key or self.key
        if key not in self.clients:
            self.clients[key] = get_sync_client(url=self.address, api_key=key)
        return self.clients[key]

    def post(self, path: str, body: Any, key: str | None = None, **headers: str) -> httpx.Response:
        sent = {"Authorization": f"Bearer {key or self.key}", **headers}
        return httpx.post(f"{self.address}{path}", json=body, headers=sent, timeout=60)

    def get(self, path: str, key: str | None = None) -> httpx.Response:
        return httpx.get(
            f"{self.address}{path}", headers={"Authorization": f"Bearer {key or self.key}"}, timeout=60
        )

    def wait(self, text: str = TEXT, key: str | None = None, **more: Any) -> Any:
        """Tag by ``POST /runs/wait``; the body as it comes."""
        content = {"id": more.pop("id", "1"), "text": text}
        answer = self.post("/runs/wait", {"assistant_id": "tagging", "input": content, **more}, key)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of an event that the server has written."""
        written = (self.folder / "stdout").read_text().splitlines()
        return [line for line in map(json.loads, written) if line["event"] == event]

    def said(self) -> str:
        """Return what the server wrote for people."""
        return (self.folder / "stderr").read_text()

    def stop(self, how: signal.Signals = signal.SIGTERM, patience: float = 20) -> int:
        self.process.send_signal(how)
        return self.process.wait(patience)


@contextmanager
def running(folder: Path, *options: object, **environment: str) -> Iterator[ServeProcess]:
    """Start ``llm4tag serve`` in an empty folder, wait until it answers, and end it."""
    work = folder / "empty"
    work.mkdir()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LLM4TAG_")}
    command = [str(Path(sys.executable).parent / "llm4tag"), "serve", *(str(option) for option in options)]
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            command,
            cwd=work,
            env={**environ, "LLM4TAG_CACHE_DIR": str(folder / "cache"), **environment},
            stdout=stdout,
            stderr=stderr,
        )
        server = ServeProcess("", folder, process)
        try:
            _await(server)
            yield server
        finally:
            for client in server.clients.values():
                client.close()
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _await(server: ServeProcess) -> None:
    deadline = time.monotonic() + PATIENCE
    while not (server.address and _answers(server.address)):
        said = server.said()
        assert server.process.poll() is None, said + (server.folder / "stdout").read_text()
        assert time.monotonic() < deadline, said
        if served := re.search(r"served at (http://\S+);", said):
            server.address = served[1]
        if key := re.search(r"key for this run: (\S+)", said):
            server.key = key[1]
        time.sleep(0.1)


def _answers(address: str) -> bool:
    try:
        # Readiness waits for store and model to be open.
        return httpx.get(f"{address}/ready", timeout=PATIENCE).status_code in (200, 503)
    except httpx.TransportError:
        return False


@dataclass(frozen=True)
class ApiKeys:
    """API keys: one of each scope, and two that tag."""

    read: str
    one: str
    other: str
    admin: str
