"""Which steps of the LLM are taken: by the options, else the profile, else what was measured."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from graphs.context import TagOptions
from schema.profile import StepChoices
from tools.plan import RecallPlan


class Steps(BaseModel):
    """How the LLM is asked of a content; as in ``StepChoices``, nothing left open."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    samples: int
    generate_top: int
    judge_top: int
    judge_new: int
    verbal: bool | None
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
    measured: dict[str, Any] = {
        # Beside a fine-tuned judge lists gain nothing, and where recall is sure it is right: docs/calibration.md.
        "samples": 0 if tuned else 3,
        "generate_top": plan.asked,
        "judge_top": plan.asked,
        "judge_new": 5 if tuned else 0,
        "verbal": None,
        "cascade": tuned,
        "adaptive": False,
        "examples": 3,
        "negatives": 4,
        "passages": 1,
        "max_rounds": plan.rounds,
    }
    for choices in (profile, options):
        measured |= {
            name: chosen for name in StepChoices.model_fields if (chosen := getattr(choices, name)) is not None
        }
    return Steps(**measured)
