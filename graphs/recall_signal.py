"""The confidence of each candidate from recall alone, by the recipe of the plan."""

from collections.abc import Sequence

from llm4tag.calibration.confidence import WITH_HISTORY, WITHOUT_HISTORY, Weights, recall_confidences
from llm4tag.schema import Candidate, Recipe
from llm4tag.tools.plan import RecallPlan


def weights_of(plan: RecallPlan) -> Weights:
    """Return how far the signals move confidences, where no calibrator weighs them."""
    return WITHOUT_HISTORY if plan.recipe is Recipe.VOCABULARY else WITH_HISTORY


def recall_of(plan: RecallPlan, candidates: Sequence[Candidate]) -> dict[str, float]:
    """Return the fusion's probability of each candidate, or what fixed weights make of its evidence; by tag id."""
    if plan.recipe is Recipe.LEARNED:
        return {candidate.tag: candidate.score for candidate in candidates}
    return recall_confidences(candidates, {path: plan.weight(path) for path in plan.paths}, weights_of(plan).scale)
