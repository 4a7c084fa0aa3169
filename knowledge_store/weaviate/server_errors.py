"""Failures of the server and the network, told so that the user knows what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import httpx
from weaviate import exceptions

from llm4tag.knowledge_store.weaviate.address import WeaviateLocation
from llm4tag.schema import StoreError, StoreUnreachableError

_KEPT = "what was acknowledged is kept: run the same command again"
_ABSENT = (
    *("not present in schema", "could not find class", "not found in schema", "class not found"),
    # A server that starts knows a collection some moments before it has opened what is in it.
    *("non-existing index", "could not find index", "cannot find index"),
)


class CollectionGone(StoreError):
    """A collection, or this tenant's part of it, is not there: another process may just have replaced it."""


@contextmanager
def weaviate_errors(location: WeaviateLocation) -> Iterator[None]:
    """Turn what the client and the network raise into StoreError, with the mend."""
    try:
        yield
    except (exceptions.WeaviateBaseError, grpc.RpcError, httpx.HTTPError, OSError) as error:
        raise told(location, error) from error


def told(location: WeaviateLocation, error: BaseException | str) -> StoreError:
    """Return the error that a user reads for one of the client's, or for a message of the server's."""
    message = _message(error)
    low = message.lower()
    place = location.text
    if _any(low, *_ABSENT) or ("tenant" in low and "not found" in low):
        return CollectionGone(f"{place}: {message}")
    if _any(low, "multi-tenancy", "multi tenancy"):
        return StoreError(
            f"{place}: the store was made {'without' if location.settings.tenant else 'with'} tenants; "
            "leave tenant (LLM4TAG_WEAVIATE_TENANT) out or set it, as the store was made"
        )
    if _any(low, "read-only", "readonly"):
        return StoreError(f"{place}: the server is read-only (is its disk full?): free some space there; {_KEPT}")
    if isinstance(error, (exceptions.WeaviateTimeoutError, httpx.TimeoutException)) or "deadline" in low:
        return StoreError(
            f"{place}: the server did not answer in time; try again, or raise LLM4TAG_WEAVIATE_QUERY_TIMEOUT "
            f"or LLM4TAG_WEAVIATE_INSERT_TIMEOUT (seconds); {_KEPT}"
        )
    if _any(low, "unauthorized", "unauthenticated", "anonymous access not enabled", "401"):
        return refused_key(location)
    if _any(low, "forbidden", "permission"):
        return StoreError(f"{place}: the key may not do this: {message}; give it the right, or use another key")
    if _unreachable(error, low):
        return StoreUnreachableError(
            f"{place}: the server cannot be reached ({message}); start it, check host, port and grpc_port "
            f"({location.grpc_host}:{location.settings.grpc_port}); {_KEPT}"
        )
    return StoreError(f"{place}: {message}")


def concerns_all(message: str) -> bool:
    """Return whether a message about one object speaks of the server or the collection: no other fares better."""
    return _any(
        message.lower(),
        *_ABSENT,
        *("read-only", "readonly", "tenan", "deadline"),
        *("unavailable", "unauthorized", "forbidden", "memory", "context canceled"),
    )


def refused_key(location: WeaviateLocation) -> StoreError:
    """Return the error for a key that the server does not take."""
    have = "the key in LLM4TAG_WEAVIATE_API_KEY" if location.settings.api_key else "a request without a key"
    return StoreError(f"{location.text}: the server refuses {have}; set LLM4TAG_WEAVIATE_API_KEY to one it knows")


def _message(error: BaseException | str) -> str:
    if isinstance(error, str):
        return error
    if isinstance(error, grpc.aio.AioRpcError):
        return str(error.details() or error.code().name.lower())
    message: str = getattr(error, "message", None) or str(error)
    return message or type(error).__name__


def _any(text: str, *parts: str) -> bool:
    return any(part in text for part in parts)


def _unreachable(error: BaseException | str, low: str) -> bool:
    kinds = (
        exceptions.WeaviateConnectionError,
        exceptions.WeaviateRetryError,
        exceptions.WeaviateGRPCUnavailableError,
        exceptions.WeaviateStartUpError,
        httpx.TransportError,
        OSError,
    )
    return isinstance(error, kinds) or _any(
        low, "unavailable", "failed to connect", "connection refused", "socket"
    )
