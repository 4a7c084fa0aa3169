"""A real Weaviate server for tests: found or started by ``scripts/weaviate``."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

SCRIPT = Path(__file__).parents[2] / "scripts" / "weaviate"


@dataclass
class WeaviateServer:
    """A server that can be killed and started again on the same ports and data."""

    data: Path
    settings: tuple[str, ...] = ()
    url: str = ""
    pid: int | None = None
    """None for a server that somebody else runs."""
    _ports: tuple[str, ...] = ()
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it, and wait until it says that it is ready."""
        command = [sys.executable, str(SCRIPT), "run", "--data", str(self.data), *self._ports]
        command += [part for setting in self.settings for part in ("--set", setting)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"no server; see {self.data / 'server.log'}"
        found = json.loads(line)
        self.url, self.pid = found["url"], found["pid"]
        if self.pid is not None:
            self._ports = ("--port", str(found["http_port"]), "--grpc-port", str(found["grpc_port"]))

    def kill(self) -> None:
        """Kill it as a crash would."""
        assert self.pid is not None
        os.kill(self.pid, signal.SIGKILL)
        self._wait()

    def freeze(self) -> None:
        """Stop it where it is: it holds its connections and answers nothing."""
        assert self.pid is not None
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.pid is not None
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            if self.pid is not None:
                self.thaw()
            self._process.terminate()
            self._wait()

    def _wait(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.wait(timeout=60)
        self._process.stdout.close()
        self._process = None

    def _schema(self) -> str:
        return "http://" + self.url.removeprefix("weaviate://").partition("?")[0] + "/v1/schema"

    def collections(self, prefix: str) -> list[str]:
        """Return the collections of all stores whose name begins so."""
        return [each["class"] for each in self.config(prefix)]

    def config(self, prefix: str) -> list[dict[str, Any]]:
        """Return what the server says of a store's collections."""
        found = httpx.get(self._schema(), timeout=60).json()["classes"]
        return [each for each in found if each["class"].startswith(f"Llm4tag_{prefix}")]

    def drop(self, prefix: str) -> None:
        """Drop the collections of all stores whose name begins so."""
        for name in self.collections(prefix):
            httpx.delete(f"{self._schema()}/{name}", timeout=60).raise_for_status()

    def set_shards(self, prefix: str, status: str) -> None:
        """Make all shards of a store READONLY or READY."""
        for name in self.collections(prefix):
            for shard in httpx.get(f"{self._schema()}/{name}/shards", timeout=60).json():
                url = f"{self._schema()}/{name}/shards/{shard['name']}"
                httpx.put(url, json={"status": status}, timeout=60).raise_for_status()

    def store(self, name: str, **settings: object) -> str:
        """Return the location of a store of that name."""
        base, _, query = self.url.partition("?")
        more = "&".join(f"{key}={value}" for key, value in settings.items())
        return f"{base}/{name}?{'&'.join(part for part in (query, more) if part)}"


@contextmanager
def running(data: Path, *settings: str) -> Iterator[WeaviateServer]:
    """Run a server of one's own."""
    server = WeaviateServer(data, settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()
