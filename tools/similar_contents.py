"""C2C2T: the tags of similar contents (paper section 3.1).

Tags that humans gave count in full. Tags that a model gave make a candidate but add nothing to ``raw``, which is
what confidence rests on: otherwise tagging would feed on its own output.
"""

import asyncio
from collections.abc import Sequence

from knowledge_store.protocol import Collection, Filters, Hit, KnowledgeStore, SearchQuery
from knowledge_store.querying import tags_under
from models.embedding import Vector
from schema import Assignment, C2C2TEvidence, Neighbour, Provenance
from tools.fusion import strongest
from tools.plan import RecallPlan

MODEL_WEIGHT = 0.3
"""What a neighbour counts for recall where a model gave the tag, beside a human's 1."""
_SHOWN = 3


async def recall_by_contents(
    store: KnowledgeStore,
    text: str,
    vector: Vector | None,
    plan: RecallPlan,
    exclude: str | None = None,
    within: str | None = None,
) -> dict[str, C2C2TEvidence]:
    """Find tags by the contents most like this one.

    Args:
        store: where the contents are.
        text: the content.
        vector: of the content; None searches by words alone.
        plan: neighbours, sharpness, alpha and cap.
        exclude: id of a content that is no neighbour (the content itself, where it is in the store).
        within: only tags under this parent.

    Returns:
        The plan's ``cap`` best tags. A neighbour weighs (similarity / top similarity) ^ sharpness; ``raw`` is the
        share of all human-tagged neighbours' weight that lies on those where a human gave the tag.

    Raises:
        UsageError: ``within`` is nobody's parent.
    """
    vocabulary = await store.vocabulary()
    allowed = vocabulary.assignable if within is None else tags_under(vocabulary, within)

    async def nearest(provenance: Provenance) -> list[Hit]:
        filters = Filters(tagged_by=provenance, exclude_ids=frozenset({exclude} if exclude else ()))
        query = SearchQuery(
            text=text, vector=vector, alpha=plan.content_alpha, limit=plan.neighbours, filters=filters
        )
        return await store.search(Collection.CONTENTS, query)

    # Two searches, so that contents that only a model tagged never push a human-tagged one out.
    by_human, by_model = await asyncio.gather(nearest(Provenance.HUMAN), nearest(Provenance.MODEL))
    assignments = await store.assignments_of(list({hit.id for hit in (*by_human, *by_model)}))
    human = _Votes(by_human, assignments, Provenance.HUMAN, plan.sharpness)
    model = _Votes(by_model, assignments, Provenance.MODEL, plan.sharpness)
    return _evidence(human, model, allowed, plan)


class _Votes:
    """What the neighbours of one provenance say, by tag."""

    def __init__(
        self,
        hits: Sequence[Hit],
        assignments: dict[str, tuple[Assignment, ...]],
        provenance: Provenance,
        sharpness: float,
    ) -> None:
        self.by_tag: dict[str, list[Neighbour]] = {}
        self.looked_at = len(hits)
        top = max((hit.score for hit in hits), default=0.0)
        weights = {hit.id: (hit.score / top) ** sharpness if top > 0 else 1.0 for hit in hits}
        total = sum(weights.values())
        for hit in hits:
            for assignment in assignments.get(hit.id, ()):
                if assignment.provenance is provenance and total > 0:
                    neighbour = Neighbour(
                        id=hit.id,
                        similarity=round(hit.score / top, 4) if top > 0 else 1.0,
                        provenance=provenance,
                        weight=weights[hit.id] / total,
                    )
                    self.by_tag.setdefault(assignment.tag, []).append(neighbour)

    def share(self, tag: str) -> float:
        return min(1.0, sum(neighbour.weight for neighbour in self.by_tag.get(tag, ())))


def _evidence(human: _Votes, model: _Votes, allowed: frozenset[str], plan: RecallPlan) -> dict[str, C2C2TEvidence]:
    summed = {
        tag: human.share(tag) + MODEL_WEIGHT * model.share(tag) for tag in {*human.by_tag, *model.by_tag} & allowed
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
            neighbours=tuple(shown),
        )
    return found
