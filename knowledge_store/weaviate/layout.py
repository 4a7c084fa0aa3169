"""The collections of a store: their names, properties and vectors."""

from enum import StrEnum

import weaviate
from weaviate.classes.config import Configure, DataType, Property, StopwordsPreset, Tokenization, VectorDistances

from llm4tag.knowledge_store.protocol import PROPERTIES
from llm4tag.knowledge_store.protocol import Collection as Searched
from llm4tag.knowledge_store.weaviate.connection import Connection
from llm4tag.knowledge_store.weaviate.server_errors import told

SCHEMA_VERSION = "1"
WORDS = "words_"
"""Prefix of a property's tokens, joined by spaces: every backend sees the same words (knowledge_store.tokens)."""
RAW = "raw"
"""The vector as the embedder gave it; kept, not indexed."""
SEARCH = "search"
"""The vector that is searched: for contents centred, else as it was given."""

# Exact enough that rankings agree with the embedded backend's exact search; docs/weaviate.md has what it costs.
_EF_CONSTRUCTION = 256
_MAX_CONNECTIONS = 32
_EF = 512


class Part(StrEnum):
    """The kinds of collections. All but FACTS come in generations, so that they can be replaced at a stroke."""

    FACTS = "Facts"
    VOCABULARY = "Vocabulary"
    """Every tag, whole: the truth."""
    TAGS = "Tags"
    """Assignable tags, to be searched."""
    UNITS = "Units"
    CONTENTS = "Contents"
    PASSAGES = "Passages"


GENERATIONAL = tuple(part for part in Part if part is not Part.FACTS)
SEARCHED: dict[Searched, Part] = {
    Searched.TAGS: Part.TAGS,
    Searched.UNITS: Part.UNITS,
    Searched.CONTENTS: Part.CONTENTS,
    Searched.PASSAGES: Part.PASSAGES,
}


def collection_name(store: str, part: Part, generation: int = 0) -> str:
    """Return the name of a collection on the server."""
    suffix = "" if part is Part.FACTS else f"_{generation}"
    return f"Llm4tag_{store}_{part}{suffix}"


def _kept(name: str, kind: DataType = DataType.TEXT) -> Property:
    return Property(name=name, data_type=kind, index_filterable=False, index_searchable=False)


def _matched(name: str, kind: DataType = DataType.TEXT) -> Property:
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


def properties(part: Part) -> list[Property]:
    """Return the properties of a part's collections."""
    found = [_matched("key")]
    if part is Part.FACTS:
        return [*found, _matched("kind"), _kept("value")]
    if part is Part.VOCABULARY:
        return [*found, _kept("tag"), _order(), _kept("revision")]
    if part is Part.TAGS:
        return [*found, *_words(Searched.TAGS)]
    if part is Part.UNITS:
        return [*found, _matched("tag"), _kept("text"), _kept("kind"), *_words(Searched.UNITS)]
    found += [_kept("title"), _kept("text"), _order(), _kept("revision")]
    if part is Part.PASSAGES:
        return [*found, _matched("source"), *_words(Searched.PASSAGES)]
    lists = [_matched(name, DataType.TEXT_ARRAY) for name in ("human_tags", "model_tags", "tagged_by")]
    return [*found, _kept("assignments"), *lists, *_words(Searched.CONTENTS)]


def _vectors(part: Part) -> list[object]:
    raw = Configure.Vectors.self_provided(name=RAW, vector_index_config=Configure.VectorIndex.none())
    search = Configure.Vectors.self_provided(
        name=SEARCH,
        # The server's default would compress, and rank otherwise than exact search.
        quantizer=Configure.VectorIndex.Quantizer.none(),
        vector_index_config=Configure.VectorIndex.hnsw(
            distance_metric=VectorDistances.COSINE,
            ef_construction=_EF_CONSTRUCTION,
            max_connections=_MAX_CONNECTIONS,
            ef=_EF,
        ),
    )
    return {
        Part.VOCABULARY: [raw],
        Part.TAGS: [search],
        Part.CONTENTS: [raw, search],
        Part.PASSAGES: [raw, search],
    }.get(part, [])


async def make_collection(connection: Connection, part: Part, generation: int = 0) -> None:
    """Make a collection (and this tenant in it) where it is not there yet."""
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


async def drop_collection(connection: Connection, part: Part, generation: int) -> None:
    """Drop a collection; of one with tenants, this tenant's part."""
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


async def is_there(connection: Connection) -> bool:
    """Return whether the store, or this tenant's part of it, has been begun on the server."""
    name = collection_name(connection.location.name, Part.FACTS)
    tenant = connection.location.settings.tenant

    async def look(client: weaviate.WeaviateAsyncClient) -> bool:
        if not await client.collections.exists(name):
            return False
        handle = client.collections.use(name)
        with_tenants = (await handle.config.get()).multi_tenancy_config.enabled
        if with_tenants != (tenant is not None):
            raise told(connection.location, "multi-tenancy")
        return tenant is None or await handle.tenants.exists(tenant)

    return await connection.call(look)
