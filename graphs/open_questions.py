"""Open questions: which tags of a content the LLM is still to be asked about, by the plan and the state."""

from typing import Literal

from llm4tag.calibration.confidence import uncertain
from llm4tag.calibration.signals import recall_of
from llm4tag.graphs.state import TaggingState


def tags_to_sample(state: TaggingState) -> list[str]:
    """Return the tags that the generator is to be shown and has not been shown; none where samples are off.

    The cascade shows all of them as long as one is uncertain: the other tags of a list change what is answered
    about each.
    """
    plan = state["plan"]
    if not plan.questions.samples:
        return []
    shown = {tag for sample in state.get("samples", []) for tag in sample.asked}
    tags = [tag for tag in _best(state, plan.questions.generate_top) if tag not in shown]
    return tags if _uncertain(tags, state) else []


def tags_to_judge(state: TaggingState) -> list[str]:
    """Return the tags that are to be judged or rated and have not been."""
    if judging_node(state) is None:
        return []
    plan = state["plan"]
    answered = state.get("judgements", {}).keys() | state.get("ratings", {}).keys()
    uncertain_tags = _uncertain(_best(state, plan.questions.judge_top), state)
    return [tag for tag in dict.fromkeys([*uncertain_tags, *_unseen(state)]) if tag not in answered]


def judgeable_tags(state: TaggingState) -> list[str]:
    """Return all tags that may be judged or rated in this round; their labels must differ from each other."""
    plan = state["plan"]
    return list(dict.fromkeys([*_best(state, plan.questions.judge_top), *_unseen(state)]))


def judging_node(state: TaggingState) -> Literal["judge", "rate"] | None:
    """Return the node that asks about candidates: a question for each, or one for all; None: neither."""
    plan = state["plan"]
    if plan.questions.rating:
        return "rate"
    if state.get("no_logprobs"):
        return "rate" if plan.questions.rating is None else None
    return "judge"


def cascade_skipped(state: TaggingState, *, use_llm: bool) -> bool:
    """Say whether the cascade left candidates of a content unjudged, or asked nothing at all."""
    plan = state["plan"]
    judged = state.get("judgements") or state.get("ratings")
    return plan.questions.cascade and use_llm and not (judged and state.get("samples"))


def _best(state: TaggingState, count: int) -> list[str]:
    candidates = state["candidates"]
    return [candidate.tag for candidate in candidates[:count]]


def _unseen(state: TaggingState) -> list[str]:
    # Recall's fit thinks little of a tag that it has not seen, so neither its order nor the cascade would ask.
    plan = state["plan"]
    return state.get("unseen", [])[: plan.questions.judge_unseen]


def _uncertain(tags: list[str], state: TaggingState) -> list[str]:
    plan = state["plan"]
    if not plan.questions.cascade:
        return tags
    return uncertain(tags, recall_of(state["candidates"]))
