"""The linear scorer as a recall path: history's words and vectors, weighed together, speak for tags."""

from collections.abc import Sequence

import numpy as np

from llm4tag.models.embedder import Vector
from llm4tag.schema import LinearEvidence
from llm4tag.tools.linear_model import LinearModel, TagScores
from llm4tag.tools.recall_plan import RecallPlan
from llm4tag.tools.terms import Floats32


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
    best = _highest(scores.raw, tags, plan.cap, allowed)
    top = float(scores.raw[best[0]]) if best else 0.0
    if scores.wide is not None:
        best = list(dict.fromkeys([*best, *_highest(scores.wide, tags, plan.cap, allowed)]))
    return {
        tags[column]: LinearEvidence(
            score=min(1.0, max(0.0, float(scores.raw[column]) / top)) if top > 0 else 0.0,
            round=plan.round,
            raw=float(scores.raw[column]),
            titled=float(scores.titled[column]),
            company=float(scores.company[column]),
            closest=float(scores.closest[column]),
            wide=None if scores.wide is None else float(scores.wide[column]),
            nearness=scores.nearness,
        )
        for column in best
    }


def _highest(scores: Floats32, tags: Sequence[str], count: int, allowed: frozenset[str]) -> list[int]:
    """Return the columns of the highest scores among the allowed tags, the best first."""
    found: list[int] = []
    for column in np.argsort(-scores, kind="stable"):
        if len(found) == count:
            break
        if tags[column] in allowed:
            found.append(int(column))
    return found
