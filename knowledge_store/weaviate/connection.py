"""The connection to one server: it is asynchronous, runs on its own event loop and raises StoreError."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import httpx
import weaviate
from weaviate.classes.config import ConsistencyLevel
from weaviate.classes.init import AdditionalConfig, Auth, Timeout
from weaviate.collections import CollectionAsync

from llm4tag.knowledge_store.location import WeaviateLocation
from llm4tag.knowledge_store.weaviate.server_errors import CollectionGone, refused_key, weaviate_errors
from llm4tag.models.event_loops import LoopThread
from llm4tag.schema import StoreError, StoreUnreachableError

T = TypeVar("T")
P = ParamSpec("P")
S = TypeVar("S")
ServerCollection = CollectionAsync[Any, Any]

# The client belongs to the loop on which it was made, and callers have their own loops.
LOOP = LoopThread("llm4tag-weaviate")

_POLL_SECONDS = 0.2


def on_loop(
    method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """Run a method on the loop to which clients belong, whichever loop the caller is on."""

    @wraps(method)
    async def called(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await LOOP.run(method(self, *args, **kwargs))

    return called


class Connection:
    """Holds an open client. All methods run on ``LOOP``.

    Args:
        location: the server and the settings.
        client: the client, connected.
        version: the version of the server.
    """

    def __init__(self, location: WeaviateLocation, client: weaviate.WeaviateAsyncClient, version: str) -> None:
        self.location = location
        self.version = version
        self._client = client
        self._closed = False

    @classmethod
    async def open(cls, location: WeaviateLocation) -> "Connection":
        """Connect as soon as the server is there and has read its schema.

        Raises:
            StoreError: the server is not there, refuses the key, or is not ready in time.
        """
        version = await _wait_for_schema(location)
        settings = location.settings
        client = weaviate.use_async_with_custom(
            http_host=location.host,
            http_port=location.port,
            http_secure=settings.tls,
            grpc_host=location.grpc_host,
            grpc_port=settings.grpc_port,
            grpc_secure=settings.tls,
            auth_credentials=Auth.api_key(settings.api_key.get_secret_value()) if settings.api_key else None,
            # The client's own checks ask a package index for newer versions.
            skip_init_checks=True,
            additional_config=AdditionalConfig(
                # SSL_CERT_FILE and the proxy variables apply to it as to every other client.
                trust_env=True,
                timeout=Timeout(
                    init=settings.connect_timeout, query=settings.query_timeout, insert=settings.insert_timeout
                ),
            ),
        )
        with weaviate_errors(location):
            try:
                await client.connect()
            except BaseException:
                await client.close()
                raise
        return cls(location, client, version)

    async def call(self, work: Callable[[weaviate.WeaviateAsyncClient], Awaitable[T]]) -> T:
        """Run some work with the client; its errors are raised as StoreError.

        A missing collection may mean that the server has restarted and not read it yet: the work then runs again.
        """
        self._refuse_closed()
        try:
            with weaviate_errors(self.location):
                return await work(self._client)
        except CollectionGone:
            await _wait_for_return(self.location)
        with weaviate_errors(self.location):
            return await work(self._client)

    def collection(self, name: str) -> ServerCollection:
        """Return a handle on a collection, for the location's tenant and consistency."""
        self._refuse_closed()
        handle: ServerCollection = self._client.collections.use(name)
        if self.location.settings.tenant:
            handle = handle.with_tenant(self.location.settings.tenant)
        if self.location.settings.consistency:
            handle = handle.with_consistency_level(ConsistencyLevel(self.location.settings.consistency))
        return handle

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StoreError("the store was closed", where=self.location.text, remedy="open it again")

    async def close(self) -> None:
        """Close the client; idempotent."""
        if not self._closed:
            self._closed = True
            await self._client.close()


async def _wait_for_return(location: WeaviateLocation) -> None:
    """Wait for the schema of a server that already answers gRPC; when it starts, HTTP is ready later."""
    end = time.monotonic() + location.settings.connect_timeout
    while True:
        try:
            await _wait_for_schema(location)
            return
        except StoreUnreachableError:
            if time.monotonic() > end:
                raise
        await asyncio.sleep(_POLL_SECONDS)


async def _wait_for_schema(location: WeaviateLocation) -> str:
    """Return the server's version as soon as it has read its schema.

    After a restart a server says "ready" seconds before its collections are there again: a caller that comes too
    early finds none, and might make a second, empty store.
    """
    key = location.settings.api_key
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    limit = location.settings.connect_timeout
    end = time.monotonic() + limit
    async with httpx.AsyncClient(base_url=location.http, headers=headers, timeout=limit) as http:
        while True:
            with weaviate_errors(location):
                meta = await http.get("/v1/meta")
                cluster = await http.get("/v1/cluster/statistics")
            if meta.status_code == httpx.codes.UNAUTHORIZED:
                raise refused_key(location)
            version = _version(location, meta) if meta.status_code == httpx.codes.OK else ""
            if version and _schema_is_back(cluster):
                await _check_grpc_port(location)
                return version
            if time.monotonic() > end:
                raise StoreError(
                    f"the server answers but is not ready after {limit:g} s (HTTP {meta.status_code})",
                    where=location.text,
                    remedy="look at its log, or raise LLM4TAG_WEAVIATE_CONNECT_TIMEOUT (seconds)",
                )
            await asyncio.sleep(_POLL_SECONDS)


async def _check_grpc_port(location: WeaviateLocation) -> None:
    """Make sure that something listens on the gRPC port; the client would try for a minute."""
    with weaviate_errors(location):
        async with asyncio.timeout(location.settings.connect_timeout):
            _, writer = await asyncio.open_connection(location.grpc_host, location.settings.grpc_port)
            writer.close()
            await writer.wait_closed()


def _version(location: WeaviateLocation, meta: httpx.Response) -> str:
    try:
        return str(meta.json()["version"])
    except (ValueError, KeyError, TypeError):
        raise StoreError(
            "what answers there is no Weaviate server", where=location.text, remedy="check host and port"
        ) from None


def _schema_is_back(cluster: httpx.Response) -> bool:
    if cluster.status_code in (httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND):
        # The key has no right to look at the cluster: the queries will show whether it is ready.
        return True
    try:
        nodes = cluster.json()["statistics"]
        # ``dbLoaded`` alone comes early; the Raft log must have been applied too.
        return all(
            node["dbLoaded"] and int(node["raft"]["appliedIndex"]) >= int(node["raft"]["lastLogIndex"]) > 0
            for node in nodes
        )
    except (ValueError, KeyError, TypeError):
        return False
