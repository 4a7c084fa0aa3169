"""What every knowledge store offers: the contract of all backends, which one test suite checks."""

from collections.abc import AsyncIterator, Mapping, Sequence
from enum import StrEnum
from types import TracebackType
from typing import Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field

from llm4tag.knowledge_store.records import Record, Writing
from llm4tag.models.embedder import Progress, Vector
from llm4tag.schema import Assignment, Passage, Provenance, Tag, TaggedContent, Vocabulary


class Collection(StrEnum):
    """The collections that can be searched."""

    TAGS = "tags"
    """Assignable tags. The words searched are name, aliases and description; the vector is the name's."""
    UNITS = "units"
    """The name and each alias of every assignable tag, each a unit of its own. They have words and no vector."""
    CONTENTS = "contents"
    """The words searched are title and text; the vector is theirs, mean-centred when it is searched."""
    PASSAGES = "passages"
    """The words searched are title and text; the vector is theirs."""


PROPERTIES: Mapping[Collection, tuple[str, ...]] = {
    Collection.TAGS: ("name", "aliases", "description"),
    Collection.UNITS: ("text",),
    Collection.CONTENTS: ("title", "text"),
    Collection.PASSAGES: ("title", "text"),
}
"""The properties of each collection; BM25 scores each on its own and sums the scores, as Weaviate does."""


class Filters(BaseModel):
    """The objects that a search may return; they meet all conditions that are given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ids: frozenset[str] | None = None
    """Only these objects; for units, ids of their tags."""
    exclude_ids: frozenset[str] = frozenset()
    within: str | None = None
    """Only tags and units under this parent, at any depth."""
    tagged_any: frozenset[str] | None = None
    """Only contents that carry at least one of these tags."""
    tagged_by: Provenance | None = None
    """Only contents with at least one assignment of this provenance."""


class SearchQuery(BaseModel):
    """A hybrid query, in Weaviate's terms: a keyword leg and a vector leg, which are fused.

    Each leg fetches ``max(100, limit)`` hits. ``alpha`` is the weight of the vector leg and 1 - alpha that of the
    keyword leg; with 0 or 1 only one leg runs. In a store without embeddings, and for a query without a vector,
    only the keyword leg runs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    text: str = ""
    vector: Vector | None = None
    alpha: float = Field(default=0.5, ge=0.0, le=1.0)
    fusion: Literal["relative", "ranked"] = "relative"
    properties: Mapping[str, float] | None = None
    """The properties to score by BM25, with their boosts; None means all of them, each with boost 1."""
    limit: int = Field(default=10, ge=1)
    filters: Filters = Filters()


class Hit(BaseModel):
    """One search hit; searches return the best first.

    ``score`` is the fused score (the score of a single leg is normalised as fusion would do it). The raw score of
    a leg is None if that leg did not return the object.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    score: float
    keyword_score: float | None = None
    """The raw BM25 score by Weaviate's formula."""
    vector_score: float | None = None
    """The raw cosine similarity (mean-centred for contents)."""
    keyword_part: float = 0.0
    """The keyword leg's part of ``score``."""
    vector_part: float = 0.0
    """The vector leg's part of ``score``."""


class UnitHit(Hit):
    """A hit among the units; ``id`` is the id of the unit and ``tag`` that of its tag."""

    tag: str
    text: str
    kind: Literal["name", "alias"]


class TagCount(BaseModel):
    """How often a tag was assigned, by humans and by models."""

    model_config = ConfigDict(frozen=True)

    human: int = 0
    model: int = 0


class StoreStatistics(BaseModel):
    """The numbers of a store's objects, and what the store is."""

    model_config = ConfigDict(frozen=True)

    location: str
    engine: str
    """The software that holds the store, with its version."""
    embedding: str
    """Name of the embedding model that filled it, or ``none``."""
    vocabulary: str
    """The version hash of the vocabulary."""
    tags: int
    """Number of assignable tags."""
    groups: int
    retired: int
    units: int
    contents: int
    tagged_contents: int
    """Number of contents with at least one human assignment of an assignable tag."""
    assignments: TagCount
    passages: int
    centre: int
    """Version of the mean that content vectors are centred by; 0 while there is none."""
    bytes: int | None = None


class KnowledgeStore(Protocol):
    """Holds tags, contents with their assignments, and passages, and searches them by words and vectors.

    All methods raise StoreError (or a subclass) when the store fails, and ModelError when embedding fails. Every
    upsert is idempotent and returns only when what it wrote will survive a kill. The store's own embedder embeds
    what is new or changed; ``progress`` is called with the number of objects just finished. Use the store as an
    async context manager, or call ``close``.
    """

    @property
    def location(self) -> str:
        """The path or address that opens the store again."""

    @property
    def embedding(self) -> str:
        """Name of the embedding model that filled the store, or ``none``."""

    async def close(self) -> None:
        """Close the store; idempotent."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    # Tags

    async def vocabulary(self) -> Vocabulary:
        """Return all tags as they are now (cached until they change)."""

    async def upsert_tags(self, tags: Sequence[Tag], progress: Progress | None = None) -> Writing:
        """Add or replace tags with their units."""

    async def retire_tags(self, ids: Sequence[str]) -> int:
        """Mark tags as retired: they are no longer output, and their history stays. Return how many changed."""

    async def delete_tags(self, ids: Sequence[str]) -> int:
        """Delete tags with their units and assignments. Return how many existed."""

    # Contents

    async def upsert_contents(
        self, contents: Sequence[TaggedContent], progress: Progress | None = None
    ) -> Writing:
        """Add or replace contents; text, vector and assignments of one content are written together.

        The given assignments replace those that the content had from the same provenance; the others stay.
        """

    async def get_contents(self, ids: Sequence[str]) -> list[TaggedContent]:
        """Return the contents that exist, in the order of ``ids``."""

    async def delete_contents(self, ids: Sequence[str]) -> int:
        """Delete contents with their assignments. Return how many existed."""

    async def assign(self, content_id: str, assignments: Sequence[Assignment]) -> None:
        """Add assignments to a content that exists.

        A content has at most one human and one model assignment of each tag; a later one replaces it.

        Raises:
            StoreError: the content does not exist.
        """

    # Passages

    async def upsert_passages(self, passages: Sequence[Passage], progress: Progress | None = None) -> Writing:
        """Add or replace passages."""

    async def get_passages(self, ids: Sequence[str]) -> list[Passage]:
        """Return the passages that exist, in the order of ``ids``."""

    async def passage_ids(self, source: str) -> list[str]:
        """Return the ids of all passages that were cut from a source, in the order in which they were added."""

    async def delete_passages(self, ids: Sequence[str]) -> int:
        """Delete passages. Return how many existed."""

    # Marks: small facts that ingest saves (file hashes, say)

    async def get_mark(self, key: str) -> str | None:
        """Return a mark, or None if there is none."""

    async def set_mark(self, key: str, value: str | None) -> None:
        """Save a mark; None removes it."""

    # Artifacts: what was fitted on the store's history and is used with it

    async def get_artifact(self, name: str) -> bytes | None:
        """Return an artifact, or None if there is none."""

    async def set_artifact(self, name: str, data: bytes | None) -> None:
        """Save an artifact, in place of one of the same name; None removes it."""

    # Search and graph

    async def search(self, collection: Collection, query: SearchQuery) -> list[Hit]:
        """Search one collection. Hits among units are ``UnitHit``; groups and retired tags are never found.

        ``query.vector`` is given raw; the store centres it where that is needed.
        """

    async def search_many(self, collection: Collection, queries: Sequence[SearchQuery]) -> list[list[Hit]]:
        """Search one collection with several queries at once."""

    async def embed_query(self, text: str) -> Vector | None:
        """Embed a content to search with; return None in a store without embeddings."""

    async def embed_queries(self, texts: Sequence[str]) -> list[Vector] | None:
        """Embed several texts to search with; return None in a store without embeddings."""

    async def assignments_of(self, content_ids: Sequence[str]) -> dict[str, tuple[Assignment, ...]]:
        """Return the assignments of each content; contents without any are left out."""

    async def contents_tagged(self, tag_id: str, limit: int, provenance: Provenance | None = None) -> list[str]:
        """Return the ids of contents that carry a tag, those with the newest assignment first."""

    async def tag_counts(self) -> Mapping[str, TagCount]:
        """Return how often each tag was assigned (cached until assignments change)."""

    async def cooccurring(self, tag_ids: Sequence[str], limit: int) -> dict[str, list[tuple[str, int]]]:
        """Return for each tag the tags that humans most often assigned to the same contents, with counts."""

    async def statistics(self) -> StoreStatistics:
        """Count the store's objects."""

    # Moving and re-embedding

    def export(self) -> AsyncIterator[Record]:
        """Yield the whole store: first the head, then tags, contents, passages, marks and artifacts."""

    async def import_records(self, records: AsyncIterator[Record], progress: Progress | None = None) -> Writing:
        """Write exported records; their vectors are taken over if the embedding model is the same."""

    async def reembed(self, embedding: str, progress: Progress | None = None) -> None:
        """Embed everything again with another model (or ``none``); searches see the old vectors until all is done.

        It can be resumed: vectors that were computed before an interruption come from the embedding cache.
        """

    async def recentre(self) -> int:
        """Compute the mean of content vectors again and freeze it. Return its version."""
