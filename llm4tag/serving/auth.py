"""Who may do what on the server: a key for every request, and what its scope allows.

LangGraph allows what no handler decides, so each kind of resource has one. None of them filters assistants: that
would hide the server's own, which have no owner.
"""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from langgraph_sdk import Auth

from llm4tag.serving.api_keys import Key, Scope, find, keys_path, load
from llm4tag.serving.served_options import refusal

auth = Auth()
"""Named in the server's configuration."""

_STARTS_RUNS = frozenset({"/mcp"})
"""Endpoints that call the API from within, where scopes are not checked again."""
_READS = frozenset({"read", "search"})


def key_in(headers: Mapping[bytes, bytes]) -> Key | None:
    """Return the key that a request carries as ``Authorization: Bearer KEY`` or ``X-Api-Key: KEY``.

    Args:
        headers: with names in lower case, as ASGI has them.

    Raises:
        UsageError: the keys file cannot be read.
    """
    bearer = headers.get(b"authorization", b"").decode("latin-1")
    given = (
        bearer[7:].strip() if bearer[:7].lower() == "bearer " else headers.get(b"x-api-key", b"").decode("latin-1")
    )
    return find(_current_keys(), given) if given else None


def _current_keys() -> tuple[Key, ...]:
    path = keys_path()
    try:
        status = path.stat()
    except FileNotFoundError:
        return ()
    # Read again when it was replaced, so that a removed key is refused at once.
    return _keys_of(path, (status.st_mtime_ns, status.st_ino, status.st_size))


@lru_cache(maxsize=1)
def _keys_of(path: Path, version: tuple[int, ...]) -> tuple[Key, ...]:
    return load(path)


@auth.authenticate
async def authenticate(headers: dict[bytes, bytes], path: str) -> Auth.types.MinimalUserDict:
    """Return the identity and the scope of a request's key."""
    key = await asyncio.to_thread(key_in, headers)
    if key is None:
        raise Auth.exceptions.HTTPException(
            status_code=401,
            detail="no key, or none that is known here: send 'Authorization: Bearer KEY' or 'X-Api-Key: KEY'; "
            "whoever runs this server can make one",
        )
    if path in _STARTS_RUNS and key.scope is Scope.READ:
        raise _refused(key.name, "read", f"use {path}")
    return {"identity": key.name, "permissions": [key.scope.value], "is_authenticated": True}


@auth.on.threads
async def own_threads(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> dict[str, str] | None:
    """Show everyone their own threads and runs; ``read`` starts and changes nothing."""
    if ctx.action == "create_run":
        _check_context(value.get("kwargs", {}))
    if _is_admin(ctx):
        return None
    if ctx.action not in _READS and Scope.READ.value in ctx.permissions:
        raise _refused(ctx.user.identity, "read", f"{ctx.action} threads and runs")
    owner = {"owner": ctx.user.identity}
    value.setdefault("metadata", {}).update(owner)
    return owner


@auth.on.assistants
async def shared_assistants(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> None:
    """Show everyone the assistants; only ``admin`` changes them."""
    if ctx.action not in _READS and not _is_admin(ctx):
        raise _refused(ctx.user.identity, " ".join(ctx.permissions), f"{ctx.action} assistants")
    _check_context(value)


@auth.on.crons
async def no_crons(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> None:
    """Allow scheduled runs only to ``admin``."""
    if not _is_admin(ctx):
        raise _refused(ctx.user.identity, " ".join(ctx.permissions), f"{ctx.action} crons")


@auth.on.store
async def no_store(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> None:
    """Refuse the use of LangGraph's own store; its endpoints are switched off, too."""
    raise _refused(ctx.user.identity, " ".join(ctx.permissions), "use LangGraph's store")


def _check_context(value: Mapping[str, Any]) -> None:
    from llm4tag.serving.served_graph import options

    configurable = (value.get("config") or {}).get("configurable") or {}
    explicit = "config" not in value or "__context_provided__" in configurable
    wrong = refusal(value.get("context") or {}, options, explicit=explicit)
    if wrong:
        raise Auth.exceptions.HTTPException(status_code=422, detail=wrong)


def _is_admin(ctx: Auth.types.AuthContext) -> bool:
    # Studio has no key of ours; it is let in only where the server was started so.
    return Scope.ADMIN.value in ctx.permissions or isinstance(ctx.user, Auth.types.StudioUser)


def _refused(name: str, scope: str, what: str) -> Exception:
    return Auth.exceptions.HTTPException(
        status_code=403, detail=f"the key {name!r} (scope {scope}) may not {what}; a wider one can"
    )
