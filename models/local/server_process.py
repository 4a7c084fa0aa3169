"""Server processes of local models: starting one, finding one that runs, and ending one's own."""

import atexit
import json
import os
import queue
import secrets
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from llm4tag.models.local.model_files import ModelFile
from llm4tag.models.local.server import DEFAULT_CONTEXT, DEFAULT_SLOTS, KEY_VARIABLE
from llm4tag.models.machine import usable_cores
from llm4tag.schema import ModelError, ModelNotFoundError, ModelSetupError, UsageError

THREADS_VARIABLE = "LLM4TAG_THREADS"
START_TIMEOUT = 300.0
"""Seconds that a server may take to load its model."""


def default_threads() -> int:
    """Return ``LLM4TAG_THREADS``, else the number of cores that this process may use.

    Raises:
        UsageError: the variable is not a positive whole number.
    """
    wanted = os.environ.get(THREADS_VARIABLE, "")
    if not wanted:
        return usable_cores()
    if not wanted.isdecimal() or int(wanted) < 1:
        raise UsageError(
            "not a positive whole number",
            where=f"{THREADS_VARIABLE}={wanted}",
            remedy="give the number of threads",
        )
    return int(wanted)


class ServerState(BaseModel):
    """The file in the cache folder by which other processes find a shared server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str
    pid: int
    sha256: str
    slots: int
    started: str


@dataclass(frozen=True)
class Server:
    """A running server, and the key that it requires."""

    address: str
    key: SecretStr
    slots: int


class ServerProcess:
    """A server process of our own; it ends with this process, even if this process is killed.

    Args:
        model: the file to run.
        port: the port; 0: any free one.
        threads: number of threads; 0: ``LLM4TAG_THREADS``, else all cores.
        slots: how many prompts it answers at the same time.
        context: tokens for each slot.
        private: whether only this process may use it.

    Raises:
        UsageError: ``LLM4TAG_THREADS`` is not a positive whole number.
        ModelNotFoundError: the package that runs models is not installed.
        ModelSetupError: the server does not start.
    """

    def __init__(
        self,
        model: ModelFile,
        *,
        port: int = 0,
        threads: int = 0,
        slots: int = DEFAULT_SLOTS,
        context: int = DEFAULT_CONTEXT,
        private: bool = True,
    ) -> None:
        self._model = model
        key = secrets.token_urlsafe(24) if private else ""
        options = {
            "--model": model.path,
            "--sha256": model.served_as,
            **({"--lora": model.lora} if model.lora else {}),
            "--port": port,
            "--threads": threads or default_threads(),
            "--slots": slots,
            "--context": context,
        }
        words = [str(word) for option in options.items() for word in option]
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed by stop)
        self._process = subprocess.Popen(
            # -P, as the caller's folder may contain a "models" of its own.
            [sys.executable, "-P", "-m", "llm4tag.models.local.server", "--with-parent", *words],
            stdin=subprocess.PIPE,  # nothing is written; the child ends when this pipe does
            stdout=subprocess.PIPE,
            stderr=self._log,
            # Passive, as threads that spin while they wait starve each other when anything else runs here.
            env={"OMP_WAIT_POLICY": "passive", **os.environ, KEY_VARIABLE: key},
            start_new_session=True,  # so that Ctrl-C reaches this process alone, which cancels the questions
        )
        atexit.register(self.stop)
        try:
            address = self._await_address()
        except BaseException:
            self.stop()
            raise
        self.server = Server(address=address, key=SecretStr(key or "none"), slots=slots)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def wait(self) -> int:
        """Wait until the process ends by itself, and return its exit status."""
        return self._process.wait()

    def stop(self) -> None:
        """End the process and wait for it; stopping twice does no harm."""
        atexit.unregister(self.stop)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def _await_address(self) -> str:
        lines: queue.Queue[bytes] = queue.Queue()
        output = self._process.stdout
        assert output is not None

        def read() -> None:
            for line in output:
                if line.startswith(b"{"):
                    lines.put(line)
                    return
            lines.put(b"")

        threading.Thread(target=read, daemon=True).start()
        try:
            line = lines.get(timeout=START_TIMEOUT)
        except queue.Empty:
            line = b""
        if not line:
            raise self._start_error()
        return str(json.loads(line)["address"])

    def _start_error(self) -> ModelError:
        self._process.poll()
        self._log.seek(0)
        words = self._log.read().decode("utf-8", "replace").strip().splitlines()
        last = words[-1] if words else "it printed nothing"
        if "No module named 'xllamacpp'" in last:
            return ModelNotFoundError(
                "the package xllamacpp, which runs local models, is not installed",
                remedy="{install_local}, name a provider's model as {model}, or tag without an LLM ({use_llm})",
            )
        remedy = "check the file and the free memory, or name another {model}"
        if "libgomp" in last:
            remedy = "install the system's OpenMP library (on Debian and Ubuntu: `apt-get install libgomp1`)"
        return ModelSetupError(f"the local server did not start ({last})", where=self._model.path, remedy=remedy)


def state_path(cache_dir: Path, served_as: str) -> Path:
    """Return the path of the file in which a shared server publishes its address.

    Args:
        cache_dir: the cache folder of llm4tag.
        served_as: ``ModelFile.served_as`` of the model, with its adapter if any.
    """
    name = "-".join(part[:32] for part in served_as.split("+"))
    return cache_dir / "servers" / f"{name}.json"


def running_server(cache_dir: Path, served_as: str) -> Server | None:
    """Return the shared server with that ``ModelFile.served_as``; None where none answers."""
    try:
        state = ServerState.model_validate_json(state_path(cache_dir, served_as).read_bytes())
        listed = httpx.get(f"{state.address}/v1/models", timeout=5.0, trust_env=False).raise_for_status().json()
        # Another server may have the port by now.
        if listed["data"][0]["id"] != served_as:
            return None
    except (OSError, ValidationError, httpx.HTTPError, ValueError, KeyError, IndexError, TypeError):
        return None
    return Server(address=state.address, key=SecretStr("none"), slots=state.slots)


@dataclass
class _Shared:
    process: ServerProcess
    users: int = field(default=1)


_lock = threading.Lock()
_shared: dict[str, _Shared] = {}
"""Servers that this process started, by ``ModelFile.served_as``."""


def acquire_server(model: ModelFile, cache_dir: Path) -> Server:
    """Return a server that runs the model: a shared one, this process's own, or a new one.

    It blocks while a new server loads its model.

    Raises:
        ModelNotFoundError: the package that runs models is not installed.
        ModelSetupError: the server does not start.
    """
    running = running_server(cache_dir, model.served_as)
    if running is not None:
        return running
    with _lock:
        own = _shared.get(model.served_as)
        if own is not None and own.process.alive:
            own.users += 1
            return own.process.server
        if own is not None:
            own.process.stop()
        process = ServerProcess(model)
        _shared[model.served_as] = _Shared(process)
        return process.server


def release_server(model: ModelFile, server: Server) -> None:
    """Release a server of ``acquire_server``; the last user in this process ends the one that it started."""
    with _lock:
        own = _shared.get(model.served_as)
        if own is None or own.process.server is not server:
            return
        own.users -= 1
        if not own.users:
            del _shared[model.served_as]
            own.process.stop()
