"""LangGraph's own server on a free port of the loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def langgraph_dev(
    folder: Path, environment: Mapping[str, str], http: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """Start `langgraph dev`; yield its address.

    Args:
        folder: for its configuration, state and log.
        environment: beside that of this process.
        http: over the ``http`` settings of the project's langgraph.json.
    """
    port = free_port()
    config = json.loads((ROOT / "langgraph.json").read_text().replace("./graphs", f"{ROOT}/graphs"))
    config["http"] |= http or {}
    (folder / "langgraph.json").write_text(json.dumps(config))
    log = folder / "server.log"
    program = str(Path(sys.executable).parent / "langgraph")
    options = ["--no-browser", "--no-reload", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "dev", *options, "--config", str(folder / "langgraph.json")],
            cwd=folder,
            env={
                **os.environ,
                "LANGGRAPH_CLI_NO_ANALYTICS": "1",
                "LANGGRAPH_NO_VERSION_CHECK": "true",
                "LANGSMITH_TRACING": "false",
                "PYTHONPATH": str(ROOT),
                **environment,
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(process, address, log)
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            if httpx.get(f"{address}/ok", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.3)
