"""Start LangGraph's server in this process, with its state in a folder of its own."""

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

from llm4tag.schema import UsageError
from llm4tag.schema.options import TagOptions
from llm4tag.schema.settings import variable_of
from llm4tag.serving.api_keys import KEYS_VARIABLE
from llm4tag.serving.configuration import SWITCHES, configuration
from llm4tag.serving.guard import HOSTS_VARIABLE, LOOPBACK
from llm4tag.serving.item_log import JsonLines, log, say
from llm4tag.serving.served_options import OPTIONS_VARIABLE
from llm4tag.serving.shutdown import GRACE_VARIABLE

API_PACKAGE = "langgraph-api"
API_LOW, API_HIGH = (0, 16), (1, 0)


class ServerPlan(BaseModel):
    """What a server is started with."""

    model_config = ConfigDict(frozen=True)

    options: TagOptions
    keys: Path
    key_for_this_run: bool
    """Whether nobody has a key yet, so that one is made."""
    state: Path
    """Folder of threads and runs; the server works in it."""
    cache_dir: Path
    """Cache folder of models and answers, as an absolute path."""
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
        UsageError: it is missing, or its version was not tested.
    """
    remedy = "{install_serve}, in an environment of its own if versions clash"
    try:
        found = version(API_PACKAGE)
    except PackageNotFoundError:
        raise UsageError(f"{API_PACKAGE}, LangGraph's server, is not installed", remedy=remedy) from None
    numbers = tuple(int(part) for part in re.findall(r"\d+", found)[:2])
    if not API_LOW <= numbers < API_HIGH:
        raise UsageError(
            f"{API_PACKAGE} is {found}, and {'.'.join(map(str, API_LOW))} or later is needed, below "
            f"{'.'.join(map(str, API_HIGH))}: an installer takes an old one silently where grpcio clashes "
            "(docs/reference/versions.md)",
            remedy=remedy,
        )
    return found


def free_port(host: str, wanted: int) -> int:
    """Return the port, or any free one for 0.

    Raises:
        UsageError: the port is taken, or this machine has no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError as error:
            raise UsageError(
                f"cannot be served on ({error.strerror})",
                where=f"{host}:{wanted}",
                remedy="give another {port}, or none for any free one",
            ) from error
        return int(probe.getsockname()[1])


def state_folder(cache_dir: Path, store: str) -> Path:
    """Return the folder of the threads and runs of a store's server."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", store).strip("-")[-40:]
    return cache_dir / "serve" / f"{plain}-{hashlib.sha256(store.encode()).hexdigest()[:12]}"


@contextmanager
def locked(state: Path) -> Iterator[None]:
    """Make the folder of a server, and lock it against a second server.

    Raises:
        UsageError: a server is running there, or the folder cannot be made.
    """
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        state.chmod(0o700)  # threads hold texts, and pickles are read back
        lock = (state / "lock").open("w")
    except OSError as error:
        raise UsageError(
            f"cannot be written ({error.strerror})", where=state, remedy="give another {state}"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(
                "a server is running with this state", where=state, remedy="stop it, or give another {state}"
            ) from error
        yield


def run(plan: ServerPlan, shown: dict[str, Any]) -> None:
    """Serve until SIGINT or SIGTERM; this process serves nothing else, before or after.

    Args:
        plan: what to serve, and where.
        shown: the settings, without secrets, for the first line of the log.
    """
    _set_up_logging()
    say("settings", **shown)
    _enter(plan)
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


def _enter(plan: ServerPlan) -> None:
    """Change the folder and the environment of this process for good.

    LangGraph's server leaves no other way: it reads its switches from the environment, and the folder of its state
    from where it is, when its packages are imported; and it imports the graph, the app and the keys by the names
    of their modules, without arguments. In an image, the same variables come from outside.
    """
    os.environ.update(_environment(plan))
    os.chdir(plan.state)


def _environment(plan: ServerPlan) -> dict[str, str]:
    """Return the variables that the server reads: LangGraph's, and those of our modules that it imports."""
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
        variable_of("cache_dir"): str(plan.cache_dir),
        HOSTS_VARIABLE: ",".join(sorted(hosts)),
        GRACE_VARIABLE: str(plan.grace),
    }


def _set_up_logging() -> None:
    # LangGraph warns of every run without a thread.
    warnings.filterwarnings("ignore", "`durability` has no effect")
    # With this, LangGraph prints no banner.
    logging.basicConfig(level=logging.WARNING)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
