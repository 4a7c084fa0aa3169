"""The linear scorer as a recall path: history's words and vectors, weighed together, speak for tags."""

from collections.abc import Sequence

from llm4tag.models.embedder import Vector
from llm4tag.schema import LinearEvidence
from llm4tag.tools.candidate_fusion import strongest
from llm4tag.tools.linear_model import LinearModel, TagScores
from llm4tag.tools.recall_plan import RecallPlan


def recall_by_linear(
    model: LinearModel,
    text: str,
    vector: Vector | None,
    plan: RecallPlan,
    allowed: frozenset[str],
    content_id: str | None = None,
) -> dict[str, LinearEvidence]:
    """Find tags by the linear scorer.

    Args:
        model: fitted on the store's history.
        text: the content.
        vector: of the content; None in a store without embeddings.
        plan: cap.
        allowed: the tags that may be found.
        content_id: a content that the scorer was fitted on is scored as if it had not been.

    Returns:
        The plan's ``cap`` best tags, and those that are among them by the product kernel; ``score`` is relative to
        the best.
    """
    return linear_evidence(model.tags, model.scores(text, vector, content_id), plan, allowed)


def linear_evidence(
    tags: Sequence[str], scores: TagScores, plan: RecallPlan, allowed: frozenset[str]
) -> dict[str, LinearEvidence]:
    """Turn the scores of all tags into evidence for the best."""
    raw = {tag: score for tag, score in zip(tags, scores.raw.tolist(), strict=True) if tag in allowed}
    column = {tag: number for number, tag in enumerate(tags)}
    best = strongest(raw, plan.cap)
    top = max(best.values(), default=0.0)
    if scores.wide is not None:
        by_product = {tag: float(scores.wide[column[tag]]) for tag in raw}
        best |= {tag: raw[tag] for tag in strongest(by_product, plan.cap)}
    return {
        tag: LinearEvidence(
            score=min(1.0, max(0.0, score / top)) if top > 0 else 0.0,
            round=plan.round,
            raw=score,
            company=float(scores.company[column[tag]]),
            closest=float(scores.closest[column[tag]]),
            wide=None if scores.wide is None else float(scores.wide[column[tag]]),
        )
        for tag, score in best.items()
    }
