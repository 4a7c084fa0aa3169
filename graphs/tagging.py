"""The tagging graph: recall, fuse, retrieve knowledge, judge, generate, calibrate, decide, and wider rounds."""

from collections.abc import Coroutine
from typing import Any, Protocol, TypeAlias, cast

from langchain_core.runnables import Runnable, RunnableLambda
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime, get_runtime

from llm4tag.graphs.context import TagContext
from llm4tag.graphs.nodes.knowledge import retrieve_knowledge
from llm4tag.graphs.nodes.outcome import calibrate, decide, report, widen
from llm4tag.graphs.nodes.questions import generate, judge, rate
from llm4tag.graphs.nodes.recall import (
    classify,
    follow_tags,
    fuse_candidates,
    prepare,
    search_contents,
    search_tags,
)
from llm4tag.graphs.routing import route_by_confidence, route_by_questions, route_to_llm
from llm4tag.graphs.runtime import run_in_background
from llm4tag.graphs.state import TaggingInput, TaggingOutput, TaggingState, Update
from llm4tag.graphs.tracing import NAME, runs, traced
from llm4tag.schema.options import TagOptions

TaggingGraph: TypeAlias = CompiledStateGraph[TaggingState, TagOptions, TaggingInput, TaggingOutput]


class Node(Protocol):
    """An async verb that takes state and runtime and returns a partial update."""

    __name__: str

    def __call__(self, state: TaggingState, runtime: Runtime[TagContext]) -> Coroutine[Any, Any, Update]:
        """Do the node's work."""


_RECALL = (search_tags, search_contents, classify, follow_tags)
_NODES: tuple[Node, ...] = (
    prepare,
    *_RECALL,
    fuse_candidates,
    retrieve_knowledge,
    judge,
    rate,
    generate,
    calibrate,
    decide,
    widen,
    report,
)


def build(
    checkpointer: BaseCheckpointSaver[str] | None = None, context_schema: type[TagOptions] = TagOptions
) -> TaggingGraph:
    """Wire the nodes and compile the graph; a server's ``context_schema`` has its own defaults and limits."""
    builder = StateGraph(
        TaggingState, context_schema=context_schema, input_schema=TaggingInput, output_schema=TaggingOutput
    )
    for node in _NODES:
        builder.add_node(node.__name__, _callable_both_ways(node), input_schema=TaggingState)
    builder.add_edge(START, prepare.__name__)
    for recall in _RECALL:
        builder.add_edge(prepare.__name__, recall.__name__)
        builder.add_edge(widen.__name__, recall.__name__)
    builder.add_edge([recall.__name__ for recall in _RECALL], fuse_candidates.__name__)
    builder.add_conditional_edges(fuse_candidates.__name__, route_to_llm)
    # Judged first, so that samples can stop where they change nothing in view of what the judge said.
    steps = [judge.__name__, rate.__name__, generate.__name__]
    builder.add_conditional_edges(retrieve_knowledge.__name__, route_by_questions, steps)
    builder.add_conditional_edges(judge.__name__, route_by_questions, [*steps[1:], calibrate.__name__])
    builder.add_conditional_edges(rate.__name__, route_by_questions, [*steps[2:], calibrate.__name__])
    builder.add_edge(generate.__name__, calibrate.__name__)
    builder.add_edge(calibrate.__name__, decide.__name__)
    builder.add_conditional_edges(decide.__name__, route_by_confidence)
    builder.add_edge(report.__name__, END)
    compiled = builder.compile(checkpointer=checkpointer, name=NAME)
    # Not with_config: the copy that it makes forgets which types a checkpoint may be read back as.
    compiled.config = {"callbacks": [runs]}
    return compiled


def _callable_both_ways(node: Node) -> Runnable[TaggingState, Update]:
    """Make a node that ``ainvoke`` awaits on the caller's loop and ``invoke`` runs on the background loop."""

    def _run() -> Runtime[TagContext]:
        return cast(Runtime[TagContext], get_runtime(TagOptions))

    def sync(state: TaggingState) -> Update:
        return run_in_background(traced(node, node.__name__, state, _run()))

    async def asynchronous(state: TaggingState) -> Update:
        return await traced(node, node.__name__, state, _run())

    return RunnableLambda(sync, asynchronous, name=node.__name__)


graph = build()
"""The compiled graph: input ``{"text", "id"?, "title"?}``, context ``TagOptions``, output the result line."""
