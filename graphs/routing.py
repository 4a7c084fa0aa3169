"""Where the graph goes next: the LLM is visited only where there is something to ask."""

from typing import Literal

from langgraph.runtime import Runtime

from llm4tag.graphs.context import TagContext, options_of
from llm4tag.graphs.open_questions import judging_node, tags_to_judge, tags_to_sample
from llm4tag.graphs.state import TaggingState


def route_to_llm(state: TaggingState, runtime: Runtime[TagContext]) -> Literal["retrieve_knowledge", "calibrate"]:
    """Prepare the prompt where an LLM is wanted, has not failed, and there is something to ask."""
    wanted = options_of(runtime).use_llm and not state.get("llm_failure")
    return "retrieve_knowledge" if wanted and (tags_to_judge(state) or tags_to_sample(state)) else "calibrate"


def route_by_questions(state: TaggingState) -> Literal["judge", "rate", "generate", "calibrate"]:
    """Ask the questions that are open: about single tags first, then lists; none of an LLM that failed."""
    if state.get("llm_failure"):
        return "calibrate"
    if tags_to_judge(state) and (node := judging_node(state)):
        return node
    return "generate" if tags_to_sample(state) else "calibrate"


def route_by_confidence(state: TaggingState, runtime: Runtime[TagContext]) -> Literal["widen", "report"]:
    """Look wider while no candidate is confident enough and rounds are left, see ``TagOptions.widen_below``."""
    enough = any(item.raw >= options_of(runtime).widen_below for item in state["scored"])
    plan = state["plan"]
    return "report" if enough or plan.recall.round >= plan.questions.max_rounds else "widen"
