"""Where a store is: the path of a file, or ``weaviate://host:port/name`` with settings after ``?``."""

import re
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from llm4tag.schema import UsageError, WeaviateSettings
from llm4tag.schema.errors import first_fault

WEAVIATE_SCHEME = "weaviate"
DEFAULT_NAME = "default"
"""Name of the store on a server when the address names none."""
_ADDRESS = "://"
_DEFAULT_PORT = 8080
_NAME = re.compile(r"[a-z][a-z0-9]{0,47}")
_IN_URL = ("grpc_host", "grpc_port", "tls", "tenant", "replication", "consistency")
_FORM = f"write {WEAVIATE_SCHEME}://host:port/name?grpc_port=50051, all but the host optional"


def is_address(location: str) -> bool:
    """Return whether a location is an address, such as ``weaviate://localhost:8080/news``, and not a path."""
    return _ADDRESS in location


def scheme_of(location: str) -> str:
    """Return the part of an address before ``://``."""
    return location.partition(_ADDRESS)[0]


def absolute_location(location: str) -> str:
    """Return one spelling of a location: a file's path is made absolute, with ``~`` and links resolved."""
    return location if is_address(location) else str(Path(location).expanduser().resolve())


class WeaviateLocation(BaseModel):
    """The address of one store on a server: the server, the store's name there, and how to reach it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    """The address as the user gave it; it opens the store again and holds no secret."""
    host: str
    port: int
    name: str
    settings: WeaviateSettings

    @property
    def grpc_host(self) -> str:
        """The host that serves gRPC."""
        return self.settings.grpc_host or self.host

    @property
    def http(self) -> str:
        """The base address of the HTTP API."""
        scheme: Literal["http", "https"] = "https" if self.settings.tls else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"


def parse_weaviate_location(text: str) -> WeaviateLocation:
    """Read the address of a store on a server.

    Settings in the address override the environment (LLM4TAG_WEAVIATE_…), which overrides the defaults.

    Raises:
        UsageError: the text is no such address, or it holds a secret.
    """
    try:
        parts = urlsplit(text)
        port = parts.port or _DEFAULT_PORT
    except ValueError as error:
        raise UsageError(f"not a store's location: {error}", remedy=_FORM) from None
    if parts.username or parts.password or "api_key" in parts.query:
        # The message does not repeat the text, which holds the secret.
        raise UsageError(
            "a location holds no key", remedy="set LLM4TAG_WEAVIATE_API_KEY in the environment instead"
        )
    if parts.scheme != WEAVIATE_SCHEME or not parts.hostname:
        raise UsageError("not a Weaviate location", where=text, remedy=_FORM)
    name = parts.path.strip("/") or DEFAULT_NAME
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a store on a server",
            where=text,
            remedy="give a small letter, then up to 47 small letters or digits",
        )
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(set(given) - set(_IN_URL)):
        raise UsageError(
            f"no setting is called {unknown[0]!r}", where=text, remedy=f"use one of {', '.join(_IN_URL)}"
        )
    try:
        settings = WeaviateSettings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        fault = first_fault(error)
        raise UsageError(
            f"setting {fault.field}: {fault.words}",
            where=text,
            remedy=f"correct it there or in LLM4TAG_WEAVIATE_{fault.field.upper()}",
        ) from None
    return WeaviateLocation(text=text, host=parts.hostname, port=port, name=name, settings=settings)
