"""What is left to ask the LLM of a content, by the options: plain functions of the state."""

from typing import Literal

from llm4tag.calibration.cascade import uncertain
from llm4tag.graphs.context import TagOptions
from llm4tag.graphs.recall_signal import recall_of
from llm4tag.graphs.state import TaggingState

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
    if way_to_judge(state) is None:
        return []
    known = state.get("judgements", {}).keys() | state.get("ratings", {}).keys()
    unsure = _unsure(best(state, state["steps"].judge_top), state)
    return [tag for tag in dict.fromkeys([*unsure, *_new(state)]) if tag not in known]


def judged(state: TaggingState) -> list[str]:
    """Return the tags that a judge may be asked about in this round."""
    return list(dict.fromkeys([*best(state, state["steps"].judge_top), *_new(state)]))


def way_to_judge(state: TaggingState) -> Literal["judge", "rate"] | None:
    """Return the node that judges: one question a candidate, or one for all in words; None: there is none."""
    rating = state["steps"].rating
    if rating:
        return "rate"
    if NO_LOGPROBS in state.get("remarks", []):
        return "rate" if rating is None else None
    return "judge"


def spared(state: TaggingState, options: TagOptions) -> bool:
    """Say whether the cascade left nothing to judge, or to ask at all, of a content."""
    judged = state.get("judgements") or state.get("ratings")
    return state["steps"].cascade and options.use_llm and not (judged and state.get("samples"))


def _new(state: TaggingState) -> list[str]:
    # A fit that has not seen a tag thinks little of it, so neither its order nor the cascade would ask about it.
    return state.get("unseen", [])[: state["steps"].judge_unseen]


def _unsure(tags: list[str], state: TaggingState) -> list[str]:
    if not state["steps"].cascade:
        return tags
    plan = state["plan"]
    return uncertain(tags, recall_of(plan, state["candidates"]), plan.recipe)
