"""C2C2T: the tags of similar contents (paper section 3.1).

Tags that humans gave count in full. Tags that a model gave make a candidate but add nothing to ``raw`` and the
other figures, which are what confidence rests on: otherwise tagging would feed on its own output.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from llm4tag.knowledge_store.protocol import Collection, Filters, Hit, KnowledgeStore, SearchQuery
from llm4tag.models.embedder import Vector
from llm4tag.schema import Assignment, C2C2TEvidence, Neighbour, Provenance
from llm4tag.tools.candidate_fusion import strongest
from llm4tag.tools.recall_plan import RecallPlan

MODEL_WEIGHT = 0.3
"""Weight of a neighbour where a model gave the tag; where a human gave it the weight is 1."""
_SHOWN = 3
_NEAREST_SHARPNESS = 6.0
_VECTOR_SHARPNESS = 4.0
"""Cosines lie closer together than BM25 scores."""

Assignments = Mapping[str, tuple[Assignment, ...]]
"""Of contents, by id."""


class Similar(NamedTuple):
    """The contents most like one, apart by who tagged them; best first."""

    by_human: list[Hit]
    by_model: list[Hit]

    @property
    def ids(self) -> list[str]:
        """Return the id of each content once."""
        return list({hit.id: None for hit in (*self.by_human, *self.by_model)})


async def recall_by_contents(
    store: KnowledgeStore,
    text: str,
    vector: Vector | None,
    plan: RecallPlan,
    allowed: frozenset[str],
    exclude: frozenset[str] = frozenset(),
) -> dict[str, C2C2TEvidence]:
    """Find tags by the contents most like this one.

    Args:
        store: where the contents are.
        text: the content.
        vector: of the content; None searches by words alone.
        plan: neighbours, sharpness, alpha and cap.
        allowed: the tags that may be found.
        exclude: ids of contents that are no neighbours (the content itself, where it is in the store).

    Returns:
        The plan's ``cap`` best tags; see ``evidence_of``.

    Raises:
        StoreError: the store failed.
    """
    similar = await similar_contents(store, text, vector, plan, exclude)
    return evidence_of(similar, await store.assignments_of(similar.ids), allowed, plan)


async def similar_contents(
    store: KnowledgeStore, text: str, vector: Vector | None, plan: RecallPlan, exclude: frozenset[str]
) -> Similar:
    """Search the contents most like this one: twice as many as vote, so that each leg's own best are there."""

    async def nearest(provenance: Provenance) -> list[Hit]:
        filters = Filters(tagged_by=provenance, exclude_ids=exclude)
        limit = 2 * plan.neighbours
        query = SearchQuery(text=text, vector=vector, alpha=plan.content_alpha, limit=limit, filters=filters)
        return await store.search(Collection.CONTENTS, query)

    # Two searches, so that contents that only a model tagged never push a human-tagged one out.
    return Similar(*await asyncio.gather(nearest(Provenance.HUMAN), nearest(Provenance.MODEL)))


def evidence_of(
    similar: Similar, assignments: Assignments, allowed: frozenset[str], plan: RecallPlan
) -> dict[str, C2C2TEvidence]:
    """Turn similar contents into evidence for their tags.

    A neighbour weighs (similarity / top similarity) ^ sharpness; ``raw`` is the share of all human-tagged
    neighbours' weight that lies on those where a human gave the tag.
    """
    human = _Votes(_fused(similar.by_human, plan.neighbours), assignments, Provenance.HUMAN, plan.sharpness)
    model = _Votes(_fused(similar.by_model, plan.neighbours), assignments, Provenance.MODEL, plan.sharpness)
    few = max(1, plan.neighbours // 2)
    nearest = _Votes(_fused(similar.by_human, few), assignments, Provenance.HUMAN, _NEAREST_SHARPNESS)
    keyword = _Votes(_by_words(similar.by_human, few), assignments, Provenance.HUMAN, plan.sharpness)
    vector = _Votes(_by_vector(similar.by_human, few), assignments, Provenance.HUMAN, _VECTOR_SHARPNESS)
    summed = {
        tag: human.share(tag) + MODEL_WEIGHT * model.share(tag)
        for tag in {*human.by_tag, *keyword.by_tag, *vector.by_tag, *model.by_tag} & allowed
    }
    top = max(summed.values(), default=0.0)
    found: dict[str, C2C2TEvidence] = {}
    for tag, score in strongest(summed, plan.cap).items():
        by_human, by_model = human.by_tag.get(tag, []), model.by_tag.get(tag, [])
        shown = sorted((*by_human, *by_model), key=lambda n: (n.provenance, -n.weight, n.id))[:_SHOWN]
        found[tag] = C2C2TEvidence(
            score=score / top if top > 0 else 0.0,
            round=plan.round,
            support=len(by_human) + len(by_model),
            human_support=len(by_human),
            looked_at=human.looked_at + model.looked_at,
            raw=human.share(tag),
            nearest=nearest.share(tag),
            by_words=keyword.share(tag),
            by_vector=vector.share(tag) if vector.looked_at else None,
            keyword_score=keyword.best.get(tag),
            vector_score=vector.best.get(tag),
            neighbours=tuple(shown),
        )
    return found


def _fused(hits: Sequence[Hit], count: int) -> list[tuple[str, float]]:
    return [(hit.id, hit.score) for hit in hits[:count]]


def _by_words(hits: Sequence[Hit], count: int) -> list[tuple[str, float]]:
    scored = [(hit.id, hit.keyword_score) for hit in hits if hit.keyword_score is not None]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:count]


def _by_vector(hits: Sequence[Hit], count: int) -> list[tuple[str, float]]:
    scored = [(hit.id, hit.vector_score) for hit in hits if hit.vector_score is not None]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:count]


class _Votes:
    """What the contents of one ranking say, by tag, where one provenance gave it."""

    def __init__(
        self,
        ranked: Sequence[tuple[str, float]],
        assignments: Assignments,
        provenance: Provenance,
        sharpness: float,
    ) -> None:
        self.by_tag: dict[str, list[Neighbour]] = {}
        self.best: dict[str, float] = {}
        self.looked_at = len(ranked)
        top = max((score for _, score in ranked), default=0.0)
        weights = {id_: max(0.0, score / top) ** sharpness if top > 0 else 1.0 for id_, score in ranked}
        total = sum(weights.values())
        for id_, score in ranked:
            neighbour = Neighbour.model_construct(
                id=id_,
                similarity=round(score / top, 4) if top > 0 else 1.0,
                provenance=provenance,
                weight=weights[id_] / total if total > 0 else 0.0,
            )
            for assignment in assignments.get(id_, ()):
                if assignment.provenance is provenance:
                    self.by_tag.setdefault(assignment.tag, []).append(neighbour)
                    self.best.setdefault(assignment.tag, score)

    def share(self, tag: str) -> float:
        return min(1.0, sum(neighbour.weight for neighbour in self.by_tag.get(tag, ())))
