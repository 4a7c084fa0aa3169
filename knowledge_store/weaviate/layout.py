"""The collections of a store on the server: their names, properties and vectors."""

from enum import StrEnum

import weaviate
from weaviate.classes.config import Configure, DataType, Property, StopwordsPreset, Tokenization, VectorDistances

from llm4tag.knowledge_store.protocol import PROPERTIES
from llm4tag.knowledge_store.protocol import Collection as Searched
from llm4tag.knowledge_store.weaviate.connection import Connection
from llm4tag.knowledge_store.weaviate.server_errors import wrong_tenancy

SCHEMA_VERSION = "1"
WORDS = "words_"
"""Prefix of the properties that hold tokens joined by spaces: every backend searches the same words."""
RAW = "raw"
"""Name of the vector as the embedder returned it; it is stored and not indexed."""
SEARCH = "search"
"""Name of the vector that is searched: centred for contents, otherwise equal to the raw one."""

# Rankings then agree with the embedded backend's exact search; docs/how-to/run-weaviate.md says at what cost.
_EF_CONSTRUCTION = 256
_MAX_CONNECTIONS = 32
_EF = 512


class StorePart(StrEnum):
    """The parts of a store, each in a collection.

    All but KEY_VALUES have generations, so that a new collection can replace the old one at once.
    """

    KEY_VALUES = "Facts"
    """State, marks and artifacts."""
    VOCABULARY = "Vocabulary"
    """Every tag, whole; what is searched is made from it."""
    TAGS = "Tags"
    """Assignable tags, as they are searched."""
    UNITS = "Units"
    CONTENTS = "Contents"
    PASSAGES = "Passages"


GENERATIONAL = tuple(part for part in StorePart if part is not StorePart.KEY_VALUES)
SEARCHED: dict[Searched, StorePart] = {
    Searched.TAGS: StorePart.TAGS,
    Searched.UNITS: StorePart.UNITS,
    Searched.CONTENTS: StorePart.CONTENTS,
    Searched.PASSAGES: StorePart.PASSAGES,
}


def collection_name(store: str, part: StorePart, generation: int = 0) -> str:
    """Return the name of a collection on the server."""
    suffix = "" if part is StorePart.KEY_VALUES else f"_{generation}"
    return f"Llm4tag_{store}_{part}{suffix}"


def _unindexed(name: str, kind: DataType = DataType.TEXT) -> Property:
    return Property(name=name, data_type=kind, index_filterable=False, index_searchable=False)


def _filterable(name: str, kind: DataType = DataType.TEXT) -> Property:
    return Property(name=name, data_type=kind, tokenization=Tokenization.FIELD, index_searchable=False)


def _order() -> Property:
    return Property(name="order", data_type=DataType.INT, index_filterable=True, index_range_filters=True)


def _words(searched: Searched) -> list[Property]:
    return [
        Property(
            name=WORDS + name,
            data_type=DataType.TEXT,
            tokenization=Tokenization.WHITESPACE,
            index_filterable=False,
            index_searchable=True,
        )
        for name in PROPERTIES[searched]
    ]


def properties(part: StorePart) -> list[Property]:
    """Return the properties of a part's collections."""
    found = [_filterable("key")]
    if part is StorePart.KEY_VALUES:
        return [*found, _filterable("kind"), _unindexed("value")]
    if part is StorePart.VOCABULARY:
        return [*found, _unindexed("tag"), _order(), _unindexed("revision")]
    if part is StorePart.TAGS:
        return [*found, *_words(Searched.TAGS)]
    if part is StorePart.UNITS:
        return [*found, _filterable("tag"), _unindexed("text"), _unindexed("kind"), *_words(Searched.UNITS)]
    found += [_unindexed("title"), _unindexed("text"), _order(), _unindexed("revision")]
    if part is StorePart.PASSAGES:
        return [*found, _filterable("source"), *_words(Searched.PASSAGES)]
    lists = [_filterable(name, DataType.TEXT_ARRAY) for name in ("human_tags", "model_tags", "tagged_by")]
    return [*found, _unindexed("assignments"), *lists, *_words(Searched.CONTENTS)]


def _vectors(part: StorePart) -> list[object]:
    raw = Configure.Vectors.self_provided(name=RAW, vector_index_config=Configure.VectorIndex.none())
    search = Configure.Vectors.self_provided(
        name=SEARCH,
        # The server's default would compress vectors, and rankings would differ from exact search.
        quantizer=Configure.VectorIndex.Quantizer.none(),
        vector_index_config=Configure.VectorIndex.hnsw(
            distance_metric=VectorDistances.COSINE,
            ef_construction=_EF_CONSTRUCTION,
            max_connections=_MAX_CONNECTIONS,
            ef=_EF,
        ),
    )
    return {
        StorePart.VOCABULARY: [raw],
        StorePart.TAGS: [search],
        StorePart.CONTENTS: [raw, search],
        StorePart.PASSAGES: [raw, search],
    }.get(part, [])


async def make_collection(connection: Connection, part: StorePart, generation: int = 0) -> None:
    """Make a collection, and this tenant in it, if they do not exist yet."""
    settings = connection.location.settings
    name = collection_name(connection.location.name, part, generation)

    async def make(client: weaviate.WeaviateAsyncClient) -> None:
        if not await client.collections.exists(name):
            await client.collections.create(
                name,
                properties=properties(part),
                vector_config=_vectors(part) or Configure.Vectors.self_provided(name=RAW),  # type: ignore[arg-type]
                inverted_index_config=Configure.inverted_index(
                    bm25_k1=1.2, bm25_b=0.75, stopwords_preset=StopwordsPreset.NONE
                ),
                replication_config=Configure.replication(factor=settings.replication),
                multi_tenancy_config=Configure.multi_tenancy(enabled=settings.tenant is not None),
            )
        if settings.tenant:
            await client.collections.use(name).tenants.create([settings.tenant])

    await connection.call(make)


async def drop_collection(connection: Connection, part: StorePart, generation: int) -> None:
    """Drop a collection; if it has tenants, only this tenant's part."""
    tenant = connection.location.settings.tenant
    name = collection_name(connection.location.name, part, generation)

    async def drop(client: weaviate.WeaviateAsyncClient) -> None:
        if not await client.collections.exists(name):
            return
        if tenant is None:
            await client.collections.delete(name)
        else:
            await client.collections.use(name).tenants.remove([tenant])

    await connection.call(drop)


async def store_exists(connection: Connection) -> bool:
    """Return whether the store, or this tenant's part of it, has been begun on the server."""
    name = collection_name(connection.location.name, StorePart.KEY_VALUES)
    tenant = connection.location.settings.tenant

    async def look(client: weaviate.WeaviateAsyncClient) -> bool:
        if not await client.collections.exists(name):
            return False
        handle = client.collections.use(name)
        with_tenants = (await handle.config.get()).multi_tenancy_config.enabled
        if with_tenants != (tenant is not None):
            raise wrong_tenancy(connection.location)
        return tenant is None or await handle.tenants.exists(tenant)

    return await connection.call(look)
