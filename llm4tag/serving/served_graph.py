"""The tagging graph as a server runs it: the server's options are its defaults, and each item is logged."""

from typing import Any, Self

from langgraph.graph.state import CompiledStateGraph

from llm4tag.graphs.state import TaggingInput, TaggingOutput, TaggingState
from llm4tag.graphs.tagging import TaggingGraph, build
from llm4tag.schema.options import TagOptions
from llm4tag.serving.item_log import ItemLog
from llm4tag.serving.served_options import chosen_options, served_options


class ServedGraph(CompiledStateGraph[TaggingState, TagOptions, TaggingInput, TaggingOutput]):
    """A graph whose copies know which types its state may be read as.

    The server works with copies, and langgraph 1.2.22 leaves the list of types out of them: with strict msgpack,
    every value of a thread's state is then read as a dict, and no interrupted run can go on.
    """

    @classmethod
    def of(cls, graph: TaggingGraph) -> Self:
        """Return a compiled graph as an instance of this class."""
        made = cls(**{name: value for name, value in vars(graph).items() if name != "__orig_class__"})
        made._serde_allowlist = graph._serde_allowlist
        return made

    def copy(self, update: dict[str, Any] | None = None) -> Self:
        """Return a copy with some attributes changed."""
        made = super().copy(update)
        made._serde_allowlist = self._serde_allowlist
        return made


items = ItemLog()
"""The log, which knows how many runs are under way."""
options = served_options(chosen_options())
"""The graph's context."""
graph = ServedGraph.of(build(context_schema=options)).with_config(callbacks=[items])
"""Named in the server's configuration."""
