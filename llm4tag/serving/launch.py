"""Starting LangGraph's server in this process, its state in a folder of its own."""

import fcntl
import hashlib
import json
import logging
import os
import re
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from llm4tag.graphs.context import TagOptions
from llm4tag.schema import UsageError
from llm4tag.serving.api_keys import KEYS_VARIABLE
from llm4tag.serving.configuration import SWITCHES, configuration
from llm4tag.serving.guard import HOSTS_VARIABLE, LOOPBACK
from llm4tag.serving.item_log import JsonLines, log, say
from llm4tag.serving.served_options import OPTIONS_VARIABLE
from llm4tag.serving.shutdown import GRACE_VARIABLE

API_PACKAGE = "langgraph-api"
API_LOW, API_HIGH = (0, 16), (1, 0)


class Plan(BaseModel):
    """All that a server is started with."""

    model_config = ConfigDict(frozen=True)

    options: TagOptions
    keys: Path
    key_for_this_run: bool
    """Whether nobody has a key yet, so that one is made."""
    state: Path
    host: str
    port: int
    at_once: int
    grace: float
    studio: bool = False

    @property
    def address(self) -> str:
        """The server's URL."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def check_api() -> str:
    """Return the version of the server package.

    Raises:
        UsageError: it is missing, or one that was not tested.
    """
    mend = "install the extra: `pip install 'llm4tag[serve]'`, in an environment of its own where versions clash"
    try:
        found = version(API_PACKAGE)
    except PackageNotFoundError:
        raise UsageError(f"{API_PACKAGE}, LangGraph's server, is not installed; {mend}") from None
    numbers = tuple(int(part) for part in re.findall(r"\d+", found)[:2])
    if not API_LOW <= numbers < API_HIGH:
        raise UsageError(
            f"{API_PACKAGE} is {found}, and {'.'.join(map(str, API_LOW))} or later is needed, below "
            f"{'.'.join(map(str, API_HIGH))}: a solver takes an old one silently where grpcio clashes "
            f"(docs/dependencies.md); {mend}"
        )
    return found


def free_port(host: str, wanted: int) -> int:
    """Return the port, or any free one for 0.

    Raises:
        UsageError: it is taken, or there is no such address here.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError as error:
            raise UsageError(
                f"{host}:{wanted}: cannot be served on ({error.strerror}); give another --port, or none for any"
            ) from error
        return int(probe.getsockname()[1])


def state_folder(cache_dir: Path, store: str) -> Path:
    """Return where the server of a store keeps threads and runs."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", store).strip("-")[-40:]
    return cache_dir / "serve" / f"{plain}-{hashlib.sha256(store.encode()).hexdigest()[:12]}"


@contextmanager
def locked(state: Path) -> Iterator[None]:
    """Keep a second server away from the folder.

    Raises:
        UsageError: one is running there, or the folder cannot be made.
    """
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        state.chmod(0o700)  # threads hold texts, and pickles are read back
        lock = (state / "lock").open("w")
    except OSError as error:
        raise UsageError(f"{state}: cannot be written ({error.strerror}); give another --state") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(
                f"{state}: a server is running with this state; stop it, or give another --state"
            ) from error
        yield


def run(plan: Plan, told: dict[str, Any]) -> None:
    """Serve until SIGINT or SIGTERM. Changes the folder and the environment of this process.

    Args:
        plan: what to serve, and where.
        told: what is logged first: the settings, without secrets.
    """
    _set_up_logging()
    say("settings", **told)
    os.environ.update(_environment(plan))
    # Both are read when LangGraph's packages are imported, hence before.
    os.chdir(plan.state)
    from langgraph_api.cli import run_server

    config = configuration(studio=plan.studio)
    (plan.state / "langgraph.json").write_text(json.dumps(config, indent=2), "utf-8")
    run_server(
        plan.host,
        plan.port,
        reload=False,
        graphs=config["graphs"],
        n_jobs_per_worker=plan.at_once,
        open_browser=False,
        auth=config["auth"],
        http=config["http"],
        checkpointer=config["checkpointer"],
        server_level="WARNING",
        timeout_graceful_shutdown=max(1, round(plan.grace)),
    )


def _environment(plan: Plan) -> dict[str, str]:
    hosts = {*LOOPBACK, plan.host} if plan.host in LOOPBACK else set()
    traced = bool(os.environ.get("LANGSMITH_API_KEY"))
    chosen = {
        "LOG_JSON": os.environ.get("LOG_JSON", "true"),
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
        "LANGSMITH_TRACING": os.environ.get("LANGSMITH_TRACING", "true") if traced else "false",
    }
    return {
        **SWITCHES,
        **chosen,
        OPTIONS_VARIABLE: plan.options.model_dump_json(exclude_defaults=True),
        KEYS_VARIABLE: str(plan.keys),
        HOSTS_VARIABLE: ",".join(sorted(hosts)),
        GRACE_VARIABLE: str(plan.grace),
    }


def _set_up_logging() -> None:
    # Said of every run without a thread.
    warnings.filterwarnings("ignore", "`durability` has no effect")
    # LangGraph's own setting up then leaves its banner out.
    logging.basicConfig(level=logging.WARNING)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
