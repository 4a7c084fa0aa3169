"""What is left to ask the LLM of a content, by the options: plain functions of the state."""

from typing import Literal

from calibration.cascade import uncertain
from graphs.context import TagOptions
from graphs.recall_signal import recall_of
from graphs.state import TaggingState

NO_LOGPROBS = "the model gives no log-probabilities: candidates were not judged one by one"


def best(state: TaggingState, wanted: int | None) -> list[str]:
    """Return the tags to ask about: as many as the caller wants, else as the plan says."""
    count = state["plan"].asked if wanted is None else wanted
    return [candidate.tag for candidate in state["candidates"][:count]]


def to_sample(state: TaggingState, options: TagOptions) -> list[str]:
    """Return the tags that the generator is to be shown and has not been; none where samples are off.

    The cascade shows all of them as long as one is uncertain: what a list holds changes what is answered of each.
    """
    if not options.samples:
        return []
    asked = {tag for sample in state.get("samples", []) for tag in sample.asked}
    tags = [tag for tag in best(state, options.generate_top) if tag not in asked]
    return tags if _unsure(tags, state, options) else []


def to_judge(state: TaggingState, options: TagOptions) -> list[str]:
    """Return the tags that are to be judged, one by one or all at once, and have not been."""
    known = state.get("judgements", {}).keys() | state.get("ratings", {}).keys()
    tags = [tag for tag in best(state, options.judge_top) if tag not in known]
    return _unsure(tags, state, options) if way_to_judge(state, options) else []


def way_to_judge(state: TaggingState, options: TagOptions) -> Literal["judge", "rate"] | None:
    """Return the node that judges: one question a candidate, or one for all in words; None: there is none."""
    if options.verbal:
        return "rate"
    if NO_LOGPROBS in state.get("remarks", []):
        return "rate" if options.verbal is None else None
    return "judge"


def spared(state: TaggingState, options: TagOptions) -> bool:
    """Say whether the cascade left nothing to judge, or to ask at all, of a content."""
    judged = state.get("judgements") or state.get("ratings")
    return options.cascade and options.use_llm and not (judged and state.get("samples"))


def _unsure(tags: list[str], state: TaggingState, options: TagOptions) -> list[str]:
    return uncertain(tags, recall_of(state["plan"], state["candidates"])) if options.cascade else tags
