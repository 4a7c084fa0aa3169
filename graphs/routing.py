"""Where the graph goes next: the LLM is visited only where something is to be asked."""

from typing import Literal

from langgraph.runtime import Runtime

from llm4tag.graphs.asking import to_judge, to_sample, way_to_judge
from llm4tag.graphs.context import TagOptions
from llm4tag.graphs.nodes.recall import options_of
from llm4tag.graphs.state import TaggingState


def route_by_llm(state: TaggingState, runtime: Runtime[TagOptions]) -> Literal["retrieve_knowledge", "calibrate"]:
    """Prepare the prompt where an LLM is wanted, has not failed, and there is something to ask."""
    options = options_of(runtime)
    wanted = options.use_llm and not state.get("llm_failure")
    return "retrieve_knowledge" if wanted and (to_judge(state) or to_sample(state)) else "calibrate"


def route_by_questions(state: TaggingState) -> Literal["judge", "rate", "generate", "calibrate"]:
    """Ask what is left to ask: judgements first, then samples; nothing more of an LLM that failed."""
    if state.get("llm_failure"):
        return "calibrate"
    if to_judge(state) and (way := way_to_judge(state)):
        return way
    return "generate" if to_sample(state) else "calibrate"


def route_by_confidence(state: TaggingState, runtime: Runtime[TagOptions]) -> Literal["widen", "report"]:
    """Look wider while no candidate is confident enough and rounds are left; see ``TagOptions.widen_below``."""
    options = options_of(runtime)
    enough = any(item.raw >= options.widen_below for item in state["scored"])
    return "report" if enough or state["plan"].round >= state["steps"].max_rounds else "widen"
