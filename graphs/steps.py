"""Which steps of the LLM are taken: by the options, else the profile, else what was measured."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from llm4tag.graphs.context import TagOptions
from llm4tag.schema import Recipe
from llm4tag.schema.profile import StepChoices
from llm4tag.tools.plan import RecallPlan


class Steps(BaseModel):
    """How the LLM is asked of a content; as in ``StepChoices``, nothing left open."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    samples: int
    generate_top: int
    judge_top: int
    judge_unseen: int
    rating: bool | None
    """None: where the model gives no log-probabilities."""
    cascade: bool
    adaptive: bool
    examples: int
    negatives: int
    passages: int
    max_rounds: int


def steps_for(options: TagOptions, profile: StepChoices, plan: RecallPlan, *, tuned: bool) -> Steps:
    """Return the steps of a run.

    Args:
        options: what was chosen explicitly.
        profile: what the profile chooses.
        plan: of the first round.
        tuned: whether a fine-tuned judge is asked.
    """
    chosen = _chosen(profile, options)
    # Beside a fine-tuned judge lists gain nothing, and where recall is sure it is right: docs/calibration.md.
    samples = chosen.get("samples", 0 if tuned else 3)
    # Similar contents help it a little where there is much history, and passages have no place in its prompt.
    alone = tuned and not samples
    judged = chosen.get("judge_top", plan.asked)
    measured: dict[str, Any] = {
        "samples": samples,
        "generate_top": plan.asked,
        "judge_top": judged,
        "judge_unseen": 5 if tuned and judged else 0,
        "rating": None,
        "cascade": tuned,
        "adaptive": False,
        "examples": 0 if alone and plan.recipe is not Recipe.LEARNED else 3,
        "negatives": 4,
        "passages": 0 if alone else 1,
        "max_rounds": plan.rounds,
    }
    return Steps(**{**measured, **chosen})


def _chosen(*choices: StepChoices) -> dict[str, Any]:
    """Return what was chosen at all; the later choice stands."""
    found: dict[str, Any] = {}
    for one in choices:
        found |= {name: value for name in StepChoices.model_fields if (value := getattr(one, name)) is not None}
    return found
