"""What is left to ask the LLM of a content, by the options: plain functions of the state."""

from typing import Literal

from calibration.cascade import uncertain
from graphs.context import TagOptions
from graphs.recall_signal import recall_of
from graphs.state import TaggingState

NO_LOGPROBS = "the model gives no log-probabilities: candidates were not judged one by one"


def best(state: TaggingState, count: int) -> list[str]:
    """Return the best tags of the round, to ask about."""
    return [candidate.tag for candidate in state["candidates"][:count]]


def to_sample(state: TaggingState) -> list[str]:
    """Return the tags that the generator is to be shown and has not been; none where samples are off.

    The cascade shows all of them as long as one is uncertain: what a list holds changes what is answered of each.
    """
    steps = state["steps"]
    if not steps.samples:
        return []
    asked = {tag for sample in state.get("samples", []) for tag in sample.asked}
    tags = [tag for tag in best(state, steps.generate_top) if tag not in asked]
    return tags if _unsure(tags, state) else []


def to_judge(state: TaggingState) -> list[str]:
    """Return the tags that are to be judged, one by one or all at once, and have not been."""
    known = state.get("judgements", {}).keys() | state.get("ratings", {}).keys()
    tags = [tag for tag in best(state, state["steps"].judge_top) if tag not in known]
    return _unsure(tags, state) if way_to_judge(state) else []


def way_to_judge(state: TaggingState) -> Literal["judge", "rate"] | None:
    """Return the node that judges: one question a candidate, or one for all in words; None: there is none."""
    verbal = state["steps"].verbal
    if verbal:
        return "rate"
    if NO_LOGPROBS in state.get("remarks", []):
        return "rate" if verbal is None else None
    return "judge"


def spared(state: TaggingState, options: TagOptions) -> bool:
    """Say whether the cascade left nothing to judge, or to ask at all, of a content."""
    judged = state.get("judgements") or state.get("ratings")
    return state["steps"].cascade and options.use_llm and not (judged and state.get("samples"))


def _unsure(tags: list[str], state: TaggingState) -> list[str]:
    if not state["steps"].cascade:
        return tags
    plan = state["plan"]
    return uncertain(tags, recall_of(plan, state["candidates"]), plan.recipe)
