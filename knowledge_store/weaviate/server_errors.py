"""Failures of the server and of the network, as StoreError with the remedy."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import httpx
from weaviate import exceptions

from llm4tag.knowledge_store.location import WeaviateLocation
from llm4tag.schema import StoreError, StoreUnreachableError

_SAFE = "what was acknowledged is saved: run the same command again"
_ABSENT = (
    *("not present in schema", "could not find class", "not found in schema", "class not found"),
    # A server that starts knows a collection some moments before it has opened the collection's data.
    *("non-existing index", "could not find index", "cannot find index"),
)


class CollectionGone(StoreError):
    """A collection, or this tenant's part of it, does not exist: another process may just have replaced it."""


class ObjectExists(StoreError):
    """An object that was to be new exists already."""


@contextmanager
def weaviate_errors(location: WeaviateLocation) -> Iterator[None]:
    """Turn the errors of the client and of the network into StoreError, with the remedy."""
    try:
        yield
    except (exceptions.WeaviateBaseError, grpc.RpcError, httpx.HTTPError, OSError) as error:
        raise store_error(location, error) from error


def store_error(location: WeaviateLocation, error: BaseException | str) -> StoreError:
    """Return the StoreError for an error of the client, or for a message of the server.

    Args:
        location: the store, for the message.
        error: the error, or the server's message about one object.
    """
    message = _message(error)
    low = message.lower()
    place = location.text
    if _any(low, *_ABSENT) or ("tenant" in low and "not found" in low):
        return CollectionGone(message, where=place)
    if _any(low, "multi-tenancy", "multi tenancy"):
        return wrong_tenancy(location)
    if _any(low, "read-only", "readonly"):
        return StoreError(
            "the server is read-only (is its disk full?)", where=place, remedy=f"free some space there: {_SAFE}"
        )
    if isinstance(error, (exceptions.WeaviateTimeoutError, httpx.TimeoutException)) or "deadline" in low:
        return StoreError(
            "the server did not answer in time",
            where=place,
            remedy="try again, or raise LLM4TAG_WEAVIATE_QUERY_TIMEOUT or LLM4TAG_WEAVIATE_INSERT_TIMEOUT "
            f"(seconds): {_SAFE}",
        )
    if _any(low, "unauthorized", "unauthenticated", "anonymous access not enabled", "401"):
        return refused_key(location)
    if _any(low, "forbidden", "permission"):
        return StoreError(
            f"the key may not do this: {message}", where=place, remedy="give it the right, or use another key"
        )
    if _unreachable(error, low):
        ports = f"{location.grpc_host}:{location.settings.grpc_port}"
        return StoreUnreachableError(
            f"the server cannot be reached ({message})",
            where=place,
            remedy=f"start it, check host, port and grpc_port ({ports}): {_SAFE}",
        )
    return (ObjectExists if "already exists" in low else StoreError)(message, where=place)


def wrong_tenancy(location: WeaviateLocation) -> StoreError:
    """Return the error for a tenant that is given for a store without tenants, or missing for one with tenants."""
    return StoreError(
        f"the store was made {'without' if location.settings.tenant else 'with'} tenants",
        where=location.text,
        remedy="leave tenant (LLM4TAG_WEAVIATE_TENANT) out or set it, as the store was made",
    )


def concerns_all(message: str) -> bool:
    """Return whether a message about one object is about the server or the collection, so about all objects."""
    return _any(
        message.lower(),
        *_ABSENT,
        *("read-only", "readonly", "tenan", "deadline"),
        *("unavailable", "unauthorized", "forbidden", "memory", "context canceled"),
    )


def refused_key(location: WeaviateLocation) -> StoreError:
    """Return the error for a key that the server does not accept."""
    given = "the key in LLM4TAG_WEAVIATE_API_KEY" if location.settings.api_key else "a request without a key"
    return StoreError(
        f"the server refuses {given}",
        where=location.text,
        remedy="set LLM4TAG_WEAVIATE_API_KEY to one that it knows",
    )


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
