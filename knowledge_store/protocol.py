"""What every knowledge store offers: the contract of all backends, held by one test suite."""

from collections.abc import AsyncIterator, Mapping, Sequence
from enum import StrEnum
from types import TracebackType
from typing import Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field

from llm4tag.knowledge_store.records import Record
from llm4tag.models.embedder import Progress, Vector
from llm4tag.schema import Assignment, Passage, Provenance, Tag, TaggedContent, Vocabulary


class Collection(StrEnum):
    """What can be searched."""

    TAGS = "tags"
    """Assignable tags. Words: name, aliases, description. Vector: the name's."""
    UNITS = "units"
    """The name and each alias of every assignable tag, each a unit of its own. Words only (alpha 0)."""
    CONTENTS = "contents"
    """Words: title, text. Vector: of title and text, mean-centred when searched."""
    PASSAGES = "passages"
    """Words: title, text. Vector: of title and text."""


PROPERTIES: Mapping[Collection, tuple[str, ...]] = {
    Collection.TAGS: ("name", "aliases", "description"),
    Collection.UNITS: ("text",),
    Collection.CONTENTS: ("title", "text"),
    Collection.PASSAGES: ("title", "text"),
}
"""The properties that BM25 scores, each on its own, summed (as Weaviate does)."""


class Filters(BaseModel):
    """Which objects a search may return; all given conditions must hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ids: frozenset[str] | None = None
    """For tags and units: tag ids."""
    exclude_ids: frozenset[str] = frozenset()
    within: str | None = None
    """Tags and units under this parent, at any depth."""
    tagged_any: frozenset[str] | None = None
    """Contents that carry at least one of these tags."""
    tagged_by: Provenance | None = None
    """Contents with at least one assignment of this provenance."""


class SearchQuery(BaseModel):
    """A hybrid query, in Weaviate's terms.

    Each leg fetches ``max(100, limit)`` hits; ``alpha`` weighs the vector leg and 1 - alpha the keyword leg;
    0 and 1 run one leg. A store without embeddings, or a query without a vector, runs the keyword leg alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    text: str = ""
    vector: Vector | None = None
    alpha: float = Field(default=0.5, ge=0.0, le=1.0)
    fusion: Literal["relative", "ranked"] = "relative"
    properties: Mapping[str, float] | None = None
    """Properties for BM25 with their boosts; None means all, each 1."""
    limit: int = Field(default=10, ge=1)
    filters: Filters = Filters()


class Hit(BaseModel):
    """One search hit, best first.

    ``score`` is the fused score (a single leg is normalised as its fusion would); the raw leg scores are None
    where the leg did not return the object.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    score: float
    keyword_score: float | None = None
    """Raw BM25, as Weaviate's formula gives it."""
    vector_score: float | None = None
    """Raw cosine (mean-centred for contents)."""
    keyword_part: float = 0.0
    """What the keyword leg adds to ``score``."""
    vector_part: float = 0.0
    """What the vector leg adds to ``score``."""


class UnitHit(Hit):
    """A hit among the units; ``id`` is the unit's."""

    tag: str
    text: str
    kind: Literal["name", "alias"]


class TagCount(BaseModel):
    """How often a tag was assigned."""

    model_config = ConfigDict(frozen=True)

    human: int = 0
    model: int = 0


class Refused(BaseModel):
    """An object that a server would not take, though it took others; it is not stored as given."""

    model_config = ConfigDict(frozen=True)

    id: str
    reason: str


class Writing(BaseModel):
    """What an upsert did; an object that was there with the same fields is unchanged and not written."""

    model_config = ConfigDict(frozen=True)

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: tuple[Refused, ...] = ()
    """Counted in none of the others; whoever writes must tell the user."""

    def __add__(self, other: "Writing") -> "Writing":
        """Return the sum of two reports."""
        return Writing(
            added=self.added + other.added,
            changed=self.changed + other.changed,
            unchanged=self.unchanged + other.unchanged,
            refused=self.refused + other.refused,
        )


class StoreStatistics(BaseModel):
    """What is in a store."""

    model_config = ConfigDict(frozen=True)

    location: str
    engine: str
    """What holds it, with its version."""
    embedding: str
    """Name of the embedding model that filled it, or ``none``."""
    vocabulary: str
    """Version hash of the vocabulary."""
    tags: int
    """Assignable tags."""
    groups: int
    retired: int
    units: int
    contents: int
    tagged_contents: int
    """Contents with at least one human assignment of an assignable tag."""
    assignments: TagCount
    passages: int
    centre: int
    """Version of the mean that content vectors are centred by; 0: none yet."""
    bytes: int | None = None


class KnowledgeStore(Protocol):
    """Tags, contents with their assignments, and passages; searched by words and vectors.

    All methods raise StoreError (or a subclass) when the store fails, and ModelError when embedding fails.
    Every upsert is idempotent and acknowledged only when it will survive a kill. Embeddings are computed by the
    store's own embedder for what is new or changed; ``progress`` is called with the count of objects finished.
    Use as an async context manager, or call ``close``.
    """

    @property
    def location(self) -> str:
        """Path or URL that opens it again."""

    @property
    def embedding(self) -> str:
        """Name of the embedding model that filled the store, or ``none``."""

    async def close(self) -> None:
        """Release everything; idempotent."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    # Tags

    async def vocabulary(self) -> Vocabulary:
        """Return all tags, as they stand now (cached until they change)."""

    async def upsert_tags(self, tags: Sequence[Tag], progress: Progress | None = None) -> Writing:
        """Add or replace tags with their units."""

    async def retire_tags(self, ids: Sequence[str]) -> int:
        """Mark tags as retired: never output, history kept. Returns how many changed."""

    async def delete_tags(self, ids: Sequence[str]) -> int:
        """Delete tags with their units and assignments. Returns how many were there."""

    # Contents

    async def upsert_contents(
        self, contents: Sequence[TaggedContent], progress: Progress | None = None
    ) -> Writing:
        """Add or replace contents; text, vector and assignments of one content are written together.

        The given assignments replace those the content had from the same provenance; the others stay.
        """

    async def get_contents(self, ids: Sequence[str]) -> list[TaggedContent]:
        """Return the contents that exist, in the order of ``ids``."""

    async def delete_contents(self, ids: Sequence[str]) -> int:
        """Delete contents with their assignments. Returns how many were there."""

    async def assign(self, content_id: str, assignments: Sequence[Assignment]) -> None:
        """Add assignments to a content that exists.

        One tag holds at most one human and one model assignment a content; the later one replaces.

        Raises:
            StoreError: no such content.
        """

    # Passages

    async def upsert_passages(self, passages: Sequence[Passage], progress: Progress | None = None) -> Writing:
        """Add or replace passages."""

    async def get_passages(self, ids: Sequence[str]) -> list[Passage]:
        """Return the passages that exist, in the order of ``ids``."""

    async def passage_ids(self, source: str) -> list[str]:
        """Return the ids of all passages cut from a source."""

    async def delete_passages(self, ids: Sequence[str]) -> int:
        """Delete passages. Returns how many were there."""

    # Marks: small facts that ingest keeps (file hashes, say)

    async def get_mark(self, key: str) -> str | None:
        """Return a mark, or None."""

    async def set_mark(self, key: str, value: str | None) -> None:
        """Set a mark, or remove it with None."""

    # Artifacts: what was fitted on the store's history and is used with it

    async def get_artifact(self, name: str) -> bytes | None:
        """Return an artifact, or None."""

    async def set_artifact(self, name: str, data: bytes | None) -> None:
        """Keep an artifact, in place of one of the same name, or remove it with None."""

    # Search and graph

    async def search(self, collection: Collection, query: SearchQuery) -> list[Hit]:
        """Search one collection. Hits among units are ``UnitHit``; groups and retired tags never appear.

        ``query.vector`` is raw; centring content vectors is the store's business.
        """

    async def search_many(self, collection: Collection, queries: Sequence[SearchQuery]) -> list[list[Hit]]:
        """Search one collection with several queries at once."""

    async def embed_query(self, text: str) -> Vector | None:
        """Embed a content to search with; None in a store without embeddings."""

    async def embed_queries(self, texts: Sequence[str]) -> list[Vector] | None:
        """Embed several texts to search with, or None in a store without embeddings."""

    async def assignments_of(self, content_ids: Sequence[str]) -> dict[str, tuple[Assignment, ...]]:
        """Return the assignments of contents; contents without any are left out."""

    async def contents_tagged(self, tag_id: str, limit: int, provenance: Provenance | None = None) -> list[str]:
        """Return ids of contents that carry a tag, newest assignment first."""

    async def tag_counts(self) -> Mapping[str, TagCount]:
        """Return how often each tag was assigned (cached until assignments change)."""

    async def cooccurring(self, tag_ids: Sequence[str], limit: int) -> dict[str, list[tuple[str, int]]]:
        """Return for each tag the tags most often assigned by humans to the same contents, with counts."""

    async def statistics(self) -> StoreStatistics:
        """Count what is there."""

    # Moving and re-embedding

    def export(self) -> AsyncIterator[Record]:
        """Yield the whole store: the head first, then tags, contents, passages, marks, artifacts."""

    async def import_records(self, records: AsyncIterator[Record], progress: Progress | None = None) -> Writing:
        """Write exported records; vectors are kept where the embedding model is the same."""

    async def reembed(self, embedding: str, progress: Progress | None = None) -> None:
        """Embed everything anew with another model (or ``none``); searches see the old until all is done.

        Resumable: vectors computed before an interruption come from the embedding cache.
        """

    async def recentre(self) -> int:
        """Compute the mean of content vectors anew and freeze it. Returns its version."""
