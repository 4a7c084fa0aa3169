"""The plan of a content: which recall, and which questions the LLM is asked; decided once, in one place.

Options beat the profile, which beats what was measured. Which tags are still to be asked about follows from the
plan and the state, see ``open_questions``.
"""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from llm4tag.graphs.runtime import TaggingRuntime
from llm4tag.schema.options import TagOptions
from llm4tag.schema.profile import StepChoices
from llm4tag.tools import recall
from llm4tag.tools.recall_plan import RecallPlan

_FEWEST_EXAMPLES = 200
"""With less history similar contents do not help a fine-tuned judge."""


class QuestionPlan(BaseModel):
    """How the LLM is asked about a content; the fields of ``StepChoices``, all of them decided."""

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


class TaggingPlan(BaseModel):
    """Everything that is decided about a content before it is tagged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tagged_contents: int
    """The number of contents that people had tagged when the plan was made."""
    recall: RecallPlan
    questions: QuestionPlan

    def wider(self) -> Self:
        """Return the plan of the next round."""
        return self.model_copy(update={"recall": self.recall.wider()})


async def plan_of(runtime: TaggingRuntime) -> TaggingPlan:
    """Return the plan of a content's first round, by the options and what the store holds."""
    tagged = (await runtime.reader.facts()).contents
    first = await recall.plan_for(runtime.reader, runtime.options.without)
    questions = question_plan(runtime.options, runtime.profile.steps, first, tagged, tuned=runtime.tuned)
    return TaggingPlan(tagged_contents=tagged, recall=first, questions=questions)


def question_plan(
    options: TagOptions, profile: StepChoices, first: RecallPlan, tagged: int, *, tuned: bool
) -> QuestionPlan:
    """Return how the LLM is asked.

    Args:
        options: what the caller chose.
        profile: what the profile chooses.
        first: the plan of recall's first round.
        tagged: the number of contents that people have tagged.
        tuned: whether a fine-tuned judge is asked.
    """
    chosen = _chosen(profile, options)
    # With a fine-tuned judge samples gain nothing; where recall is sure it is right (docs/explanation/judge.md).
    samples = chosen.get("samples", 0 if tuned else 3)
    # Similar contents help that judge a little where there is much history; its prompt has no place for passages.
    judge_alone = tuned and not samples
    judge_top = chosen.get("judge_top", first.asked)
    measured: dict[str, Any] = {
        "samples": samples,
        "generate_top": first.asked,
        "judge_top": judge_top,
        "judge_unseen": 5 if tuned and judge_top else 0,
        "rating": None,
        "cascade": tuned,
        "adaptive": False,
        "examples": 0 if judge_alone and tagged < _FEWEST_EXAMPLES else 3,
        "negatives": 4,
        "passages": 0 if judge_alone else 1,
        "max_rounds": first.rounds,
    }
    return QuestionPlan(**{**measured, **chosen})


def _chosen(*choices: StepChoices) -> dict[str, Any]:
    """Return what was chosen at all; a later choice replaces an earlier one."""
    found: dict[str, Any] = {}
    for one in choices:
        found |= {name: value for name in StepChoices.model_fields if (value := getattr(one, name)) is not None}
    return found
