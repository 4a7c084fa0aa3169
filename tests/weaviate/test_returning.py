"""A server that is back but has not opened its collections yet: callers wait, and no object counts as refused."""

import asyncio
from typing import Any

import pytest
import weaviate
from weaviate.collections.classes.batch import BatchObject, BatchObjectReturn, ErrorObject
from weaviate.collections.data import _DataCollectionAsync
from weaviate.exceptions import WeaviateQueryError

from llm4tag.knowledge_store import Writing
from llm4tag.knowledge_store.location import parse_weaviate_location
from llm4tag.knowledge_store.weaviate.connection import LOOP, Connection
from llm4tag.knowledge_store.weaviate.server_errors import CollectionGone, concerns_all, store_error
from llm4tag.schema import Tag
from tests.fakes.stores import open_fake
from tests.fakes.weaviate_server import WeaviateServer

BROWSED = "explorer: list class: search: tried to browse non-existing index for Llm4tag_x_Facts"
INSERTED = "could not find index for class Llm4tag_x_Tags. It might have been deleted in the meantime"


@pytest.mark.parametrize(
    "message",
    [
        BROWSED,
        INSERTED,
        "import into non-existing index for Llm4tag_x_Facts",
        "cannot find index for class Llm4tag_x_Facts",
        "could not find class Llm4tag_x_Facts in schema",
    ],
)
def test_what_a_starting_server_says_is_no_refusal(message: str) -> None:
    assert isinstance(store_error(parse_weaviate_location("weaviate://127.0.0.1:1/x"), message), CollectionGone)
    assert concerns_all(message)


@pytest.mark.weaviate
async def test_a_call_waits_until_the_server_is_back(server: WeaviateServer) -> None:
    """gRPC answers first, then HTTP, then the collections: the call is done again after all of them."""
    connection = await LOOP.run(Connection.open(parse_weaviate_location(server.store("back"))))
    answers: list[Exception | None] = [WeaviateQueryError(BROWSED, "GRPC search"), None]

    async def work(client: weaviate.WeaviateAsyncClient) -> bool:
        if (answer := answers.pop(0)) is not None:
            raise answer
        return bool((await client.get_meta())["version"])

    server.kill()
    starting = asyncio.create_task(asyncio.to_thread(server.start))
    try:
        assert await LOOP.run(connection.call(work))
    finally:
        await starting
        await LOOP.run(connection.close())


@pytest.mark.weaviate
async def test_objects_that_come_too_early_are_sent_again(
    server: WeaviateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = _DataCollectionAsync.insert_many
    early: list[int] = []

    async def refuse_once(self: Any, objects: Any) -> BatchObjectReturn:
        if "Vocabulary" in self.name and not early:
            early.append(len(objects))
            lost = BatchObject(collection=self.name, index=0, vector=None, properties=None)
            error = ErrorObject(message=INSERTED, object_=lost)
            return BatchObjectReturn(errors={0: error}, has_errors=True)
        return await insert(self, objects)

    monkeypatch.setattr(_DataCollectionAsync, "insert_many", refuse_once)
    async with await open_fake(server.store("early"), embedding="fake", create=True) as store:
        tags = [Tag(id="a", name="water"), Tag(id="b", name="fire")]
        assert await store.upsert_tags(tags) == Writing(added=2)
        assert early
        assert list((await store.vocabulary()).values()) == tags
