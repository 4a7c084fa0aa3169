"""Fusion of the keyword leg and the vector leg, as Weaviate 1.39 does it (traverser/hybrid/hybrid_fusion.go)."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from llm4tag.knowledge_store.protocol import Hit, UnitHit

_RANK_CONSTANT = 60
_SAME = 1e-7
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/llm4tag")

LEG_LIMIT = 100
"""The least number of hits that each leg fetches (Weaviate's QUERY_HYBRID_MAXIMUM_RESULTS)."""


@cache
def _collection_namespace(collection: str) -> uuid.UUID:
    return uuid.uuid5(_NAMESPACE, collection)


def object_uuid(collection: str, object_id: str) -> str:
    """Return the UUID that an object has in every backend; fusion breaks the last ties by it."""
    return str(uuid.uuid5(_collection_namespace(collection), object_id))


@dataclass(frozen=True, slots=True)
class LegHit:
    """One hit of one leg; a leg is a list of hits, best first."""

    id: str
    score: float


@dataclass(frozen=True, slots=True)
class FusedHit:
    """One hit after fusion, with its raw scores and each leg's part of its score."""

    id: str
    score: float
    keyword_score: float | None
    vector_score: float | None
    keyword_part: float
    vector_part: float

    @property
    def secondary(self) -> float:
        """The score that breaks ties: the raw keyword score, or else the raw vector score."""
        return self.keyword_score if self.keyword_score is not None else (self.vector_score or 0.0)

    def as_hit(self) -> Hit:
        """Return the hit of a search."""
        return Hit(**self._fields())

    def as_unit_hit(self, tag: str, text: str, kind: Literal["name", "alias"]) -> UnitHit:
        """Return the hit of a search among units, with the unit's tag, text and kind."""
        return UnitHit(**self._fields(), tag=tag, text=text, kind=kind)

    def _fields(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "score": self.score,
            "keyword_score": self.keyword_score,
            "vector_score": self.vector_score,
            "keyword_part": self.keyword_part,
            "vector_part": self.vector_part,
        }


def _relative_parts(leg: Sequence[LegHit], weight: float) -> Iterator[float]:
    highest = max((hit.score for hit in leg), default=0.0)
    lowest = min((hit.score for hit in leg), default=0.0)
    span = highest - lowest
    return (weight * (hit.score - lowest) / span if span > 0.0 else weight for hit in leg)


def _ranked_parts(leg: Sequence[LegHit], weight: float) -> Iterator[float]:
    return (weight / (_RANK_CONSTANT + rank) for rank in range(len(leg)))


def fuse(
    keyword: Sequence[LegHit] | None,
    vector: Sequence[LegHit] | None,
    *,
    alpha: float,
    fusion: Literal["relative", "ranked"],
    uuid_of: Callable[[str], str],
) -> list[FusedHit]:
    """Fuse two legs.

    Args:
        keyword: hits of the keyword leg, best first; None if it was not run, and then the other leg has weight 1.
        vector: hits of the vector leg, in the same way.
        alpha: weight of the vector leg, from 0 to 1.
        fusion: whether a hit's part of the score comes from its score relative to the leg, or from its rank.
        uuid_of: returns the UUID of an id, for ties.

    Returns:
        All hits of either leg, sorted by score, then raw keyword score, then UUID.
    """
    parts_of = _relative_parts if fusion == "relative" else _ranked_parts
    keyword_weight = 1.0 if vector is None else 1.0 - alpha
    vector_weight = 1.0 if keyword is None else alpha
    by_word = {
        hit.id: (hit.score, part)
        for hit, part in zip(keyword or (), parts_of(keyword or (), keyword_weight), strict=True)
    }
    by_vector = {
        hit.id: (hit.score, part)
        for hit, part in zip(vector or (), parts_of(vector or (), vector_weight), strict=True)
    }
    hits = []
    for hit_id in by_word | by_vector:
        keyword_score, keyword_part = by_word.get(hit_id, (None, 0.0))
        vector_score, vector_part = by_vector.get(hit_id, (None, 0.0))
        score = keyword_part + vector_part
        hits.append(FusedHit(hit_id, score, keyword_score, vector_score, keyword_part, vector_part))
    return _sorted(hits, uuid_of)


def _sorted(hits: list[FusedHit], uuid_of: Callable[[str], str]) -> list[FusedHit]:
    """Sort by score; hits that differ from the one before by less than 1e-7 count as ties."""
    by_score = _runs(sorted(hits, key=lambda hit: -hit.score), lambda hit: hit.score)
    ordered: list[FusedHit] = []
    for run in by_score:
        for tied in _runs(sorted(run, key=lambda hit: -hit.secondary), lambda hit: hit.secondary):
            ordered.extend(sorted(tied, key=lambda hit: uuid_of(hit.id)) if len(tied) > 1 else tied)
    return ordered


def _runs(hits: Sequence[FusedHit], value: Callable[[FusedHit], float]) -> Iterator[list[FusedHit]]:
    run: list[FusedHit] = []
    for hit in hits:
        if run and abs(value(run[-1]) - value(hit)) >= _SAME:
            yield run
            run = []
        run.append(hit)
    if run:
        yield run
