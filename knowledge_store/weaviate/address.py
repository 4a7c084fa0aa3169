"""Where a Weaviate store is: ``weaviate://host:port/name`` with settings behind ``?``."""

import re
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from llm4tag.knowledge_store.location import WEAVIATE_SCHEME
from llm4tag.schema import UsageError, WeaviateSettings

DEFAULT_NAME = "default"
_DEFAULT_PORT = 8080
_NAME = re.compile(r"[a-z][a-z0-9]{0,47}")
_IN_URL = ("grpc_host", "grpc_port", "tls", "tenant", "replication", "consistency")


class WeaviateLocation(BaseModel):
    """One store on one server: address, the store's name there, and how to reach it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    """What opens it again, for people to read too: it holds no secret."""
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


def parse_location(text: str) -> WeaviateLocation:
    """Read a location; what it says beats the environment (LLM4TAG_WEAVIATE_…), which beats the defaults.

    Raises:
        UsageError: not of the form, or it holds a secret.
    """
    form = f"write {WEAVIATE_SCHEME}://host:port/name?grpc_port=50051, all but the host optional"
    try:
        parts = urlsplit(text)
        port = parts.port or _DEFAULT_PORT
    except ValueError as error:
        raise UsageError(f"not a store's location: {error}; {form}") from None
    if parts.username or parts.password or "api_key" in parts.query:
        # The text itself is not repeated: it holds the secret.
        raise UsageError("a location holds no key; set LLM4TAG_WEAVIATE_API_KEY in the environment instead")
    if parts.scheme != WEAVIATE_SCHEME or not parts.hostname:
        raise UsageError(f"{text}: not a Weaviate location; {form}")
    name = parts.path.strip("/") or DEFAULT_NAME
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{text}: {name!r} cannot name a store on a server: "
            "give a small letter, then up to 47 small letters or digits"
        )
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(set(given) - set(_IN_URL)):
        raise UsageError(f"{text}: no setting is called {unknown[0]!r}; there are {', '.join(_IN_URL)}")
    try:
        settings = WeaviateSettings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in details["loc"])
        raise UsageError(
            f"{text}: setting {field}: {details['msg'].lower()}; mend it there or in "
            f"LLM4TAG_WEAVIATE_{field.upper()}"
        ) from None
    return WeaviateLocation(text=text, host=parts.hostname, port=port, name=name, settings=settings)
