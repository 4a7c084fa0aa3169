"""Failures of a real server: it is killed, frozen, full or refuses the key; a rerun completes the work."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llm4tag.knowledge_store import Collection, SearchQuery, Writing
from llm4tag.schema import Assignment, StoreError, StoreNotFoundError, StoreVersionError, Tag, TaggedContent
from tests.fakes.file_server import FileServer
from tests.fakes.store_worker import content
from tests.fakes.stores import open_fake
from tests.fakes.weaviate_server import WeaviateServer, running

pytestmark = pytest.mark.weaviate
ROOT = Path(__file__).parents[2]


def words(text: str) -> SearchQuery:
    return SearchQuery(text=text, alpha=0.0)


def worker(location: str, last: int) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "tests.fakes.store_worker",
        "ingest",
        location,
        "0",
        str(last),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


async def test_no_server() -> None:
    with pytest.raises(StoreError, match=r"cannot be reached.*start it, check host, port"):
        await open_fake("weaviate://127.0.0.1:9/x")


async def test_something_else_answers() -> None:
    with FileServer(b"hello") as files, pytest.raises(StoreError, match="no Weaviate server"):
        await open_fake(files.url.replace("http://", "weaviate://"))


async def test_a_wrong_grpc_port_is_named(weaviate: WeaviateServer) -> None:
    base = weaviate.url.partition("?")[0]
    with pytest.raises(StoreError, match=r"grpc_port.*127.0.0.1:9"):
        await open_fake(f"{base}/x?grpc_port=9", embedding="fake", create=True)


async def test_an_absent_store_differs_from_an_absent_server(weaviate: WeaviateServer) -> None:
    with pytest.raises(StoreNotFoundError, match="make the store"):
        await open_fake(weaviate.store("neverwas"))


async def test_killed_and_restarted_in_the_middle_of_an_ingest(server: WeaviateServer) -> None:
    location = server.store("killed")
    process = worker(location, 3000)
    assert process.stdout is not None
    acknowledged = 0
    for line in process.stdout:
        acknowledged = int(line)
        if acknowledged >= 512:
            break
    server.kill()
    server.start()
    # The client tries again while the server comes back.
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert output.splitlines()[-1].startswith("done 3000 0 0")
    # At once, while the server may still be reading its schema back: no store is missing, none is made twice.
    async with await open_fake(location) as store:
        there = await store.get_contents([f"c{n}" for n in range(acknowledged)])
        assert there == [content(n) for n in range(acknowledged)]
        assert await store.upsert_contents([content(n) for n in range(3000)]) == Writing(unchanged=3000)
        statistics = await store.statistics()
        assert (statistics.contents, statistics.tagged_contents) == (3000, 0)
        assert (
            len(await store.search(Collection.CONTENTS, SearchQuery(text="common", alpha=0.0, limit=5000))) == 3000
        )


async def test_a_client_killed_in_the_middle_of_an_ingest(server: WeaviateServer) -> None:
    location = server.store("client")
    process = worker(location, 2000)
    assert process.stdout is not None
    acknowledged = int(process.stdout.readline())
    process.kill()
    process.communicate()
    async with await open_fake(location) as store:
        assert len(await store.get_contents([f"c{n}" for n in range(acknowledged)])) == acknowledged
        await store.upsert_contents([content(n) for n in range(2000)])
        assert (await store.statistics()).contents == 2000
        # The kill left its clock in the middle of a write; it has been set right since.
        assert (await store.tag_counts())["t0"].human == sum(n % 7 == 0 for n in range(2000))


async def test_an_open_store_survives_a_restart(server: WeaviateServer) -> None:
    async with await open_fake(server.store("restart"), embedding="fake", create=True) as store:
        await store.upsert_tags([Tag(id="a", name="water")])
        server.kill()
        server.start()
        assert [hit.id for hit in await store.search(Collection.TAGS, words("water"))] == ["a"]
        assert list(await store.vocabulary()) == ["a"]


async def test_frozen(server: WeaviateServer) -> None:
    location = server.store(
        "frozen",
    )
    async with await open_fake(location, embedding="fake", create=True) as made:
        await made.upsert_tags([Tag(id="a", name="water")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLM4TAG_WEAVIATE_QUERY_TIMEOUT", "2")
        async with await open_fake(location) as store:
            await store.vocabulary()
            server.freeze()
            try:
                started = time.monotonic()
                with pytest.raises(StoreError, match=r"did not answer in time.*LLM4TAG_WEAVIATE_QUERY_TIMEOUT"):
                    await store.search(Collection.TAGS, words("water"))
                assert time.monotonic() - started < 60
            finally:
                server.thaw()
            assert await store.search(Collection.TAGS, words("water"))


async def test_read_only_as_with_a_full_disk(weaviate: WeaviateServer) -> None:
    """What the server does to its shards above DISK_USE_READONLY_PERCENTAGE, done by hand."""
    location = weaviate.store("readonly")
    tags = [Tag(id="a", name="water"), Tag(id="b", name="fire")]
    async with await open_fake(location, embedding="fake", create=True) as store:
        await store.upsert_tags(tags[:1])
        weaviate.set_shards("readonly", "READONLY")
        assert [hit.id for hit in await store.search(Collection.TAGS, words("water"))] == ["a"]
        with pytest.raises(StoreError, match=r"read-only.*disk full.*run the same command again"):
            await store.upsert_tags(tags)
        weaviate.set_shards("readonly", "READY")
        assert await store.upsert_tags(tags) == Writing(added=1, unchanged=1)
        assert list((await store.vocabulary()).values()) == tags


async def test_keys(server_ready: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = (
        "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED=false",
        "AUTHENTICATION_APIKEY_ENABLED=true",
        "AUTHENTICATION_APIKEY_ALLOWED_KEYS=right-key",
        "AUTHENTICATION_APIKEY_USERS=team",
    )
    with running(tmp_path / "closed", *settings) as closed:
        if closed.pid is None:
            pytest.skip("the server in LLM4TAG_TEST_WEAVIATE has its own keys")
        location = closed.store("keys")
        with pytest.raises(StoreError, match="refuses a request without a key"):
            await open_fake(location)
        monkeypatch.setenv("LLM4TAG_WEAVIATE_API_KEY", "wrong-key")
        with pytest.raises(StoreError, match="refuses the key in LLM4TAG_WEAVIATE_API_KEY") as raised:
            await open_fake(location)
        assert "wrong-key" not in str(raised.value)
        monkeypatch.setenv("LLM4TAG_WEAVIATE_API_KEY", "right-key")
        async with await open_fake(location, embedding="fake", create=True) as store:
            await store.upsert_tags([Tag(id="a", name="water")])
            assert await store.search(Collection.TAGS, words("water"))


async def test_a_store_of_an_older_layout_is_migrated_by_init(weaviate: WeaviateServer) -> None:
    """A store whose contents lack a property that this version searches by, as version 0 would have left it."""
    from llm4tag.knowledge_store.location import parse_weaviate_location
    from llm4tag.knowledge_store.weaviate.connection import LOOP, Connection
    from llm4tag.knowledge_store.weaviate.layout import RAW, StorePart, collection_name
    from llm4tag.knowledge_store.weaviate.store_state import StateManager, StoreMetadata

    location = weaviate.store("older")
    contents = [TaggedContent(id=str(n), text=f"water {n}", assignments=(Assignment(tag="a"),)) for n in range(5)]
    async with await open_fake(location, embedding="fake", create=True) as store:
        await store.upsert_tags([Tag(id="a", name="water")])
        await store.upsert_contents(contents)

    async def age() -> None:
        connection = await Connection.open(parse_weaviate_location(location))
        handle = connection.collection(collection_name("older", StorePart.CONTENTS, 1))
        for found in (await handle.query.fetch_objects(limit=10, include_vector=True)).objects:
            properties = {
                name: found.properties[name] for name in found.properties if not name.startswith("words_")
            }
            properties.pop("tagged_by")
            await handle.data.replace(found.uuid, properties=properties, vector={RAW: found.vector[RAW]})
        manager = StateManager(connection)
        metadata = StoreMetadata.model_validate_json(await manager.read_metadata() or "")
        await manager.set_metadata(metadata.model_copy(update={"schema_version": "0"}))
        await connection.close()

    await LOOP.run(age())
    with pytest.raises(StoreVersionError, match=r"version 0.*bring the store up to date"):
        await open_fake(location)
    async with await open_fake(location, migrate=True) as store:
        assert await store.get_contents([each.id for each in contents]) == contents
        assert len(await store.search(Collection.CONTENTS, words("water"))) == 5
        vector = await store.embed_query("water 3")
        (best, *_) = await store.search(Collection.CONTENTS, SearchQuery(vector=vector, alpha=1.0))
        assert best.id == "3"
    async with await open_fake(location) as store:
        assert list(await store.vocabulary()) == ["a"]


async def test_a_store_of_an_unknown_version_is_refused(weaviate: WeaviateServer) -> None:
    from llm4tag.knowledge_store.location import parse_weaviate_location
    from llm4tag.knowledge_store.weaviate.connection import LOOP, Connection
    from llm4tag.knowledge_store.weaviate.store_state import StateManager

    location = weaviate.store("newer")
    async with await open_fake(location, embedding="fake", create=True):
        pass

    async def outdate() -> None:
        connection = await Connection.open(parse_weaviate_location(location))
        metadata = json.loads(await StateManager(connection).read_metadata() or "")
        await StateManager(connection).key_values.set_many(
            {("state", "state"): json.dumps({**metadata, "schema_version": "99"})}
        )
        await connection.close()

    await LOOP.run(outdate())
    with pytest.raises(StoreVersionError, match=r"version 99.*export"):
        await open_fake(location, create=True, migrate=True)


async def test_what_the_server_refuses_one_by_one_is_reported(weaviate: WeaviateServer) -> None:
    """Somebody has put a vector of another length into the collection: objects with vectors are refused."""
    from weaviate.classes.data import DataObject

    from llm4tag.knowledge_store.location import parse_weaviate_location
    from llm4tag.knowledge_store.weaviate.connection import LOOP, Connection
    from llm4tag.knowledge_store.weaviate.layout import SEARCH, StorePart, collection_name

    location = weaviate.store("refusing")
    async with await open_fake(location, embedding="fake", create=True) as store:

        async def spoil() -> None:
            connection = await Connection.open(parse_weaviate_location(location))
            handle = connection.collection(collection_name("refusing", StorePart.CONTENTS, 1))
            await handle.data.insert_many(
                [DataObject(properties={"key": "stranger"}, vector={SEARCH: [1.0, 2.0]})]
            )
            await connection.close()

        await LOOP.run(spoil())
        writing = await store.upsert_contents(
            [TaggedContent(id="1", text="water"), TaggedContent(id="2", text=" ")]
        )
        assert (writing.added, [each.id for each in writing.refused]) == (1, ["1"])
        assert "length" in writing.refused[0].reason
        assert [each.id for each in await store.get_contents(["1", "2"])] == ["2"]
