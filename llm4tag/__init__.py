"""llm4tag: tags of a closed vocabulary for your contents, each with a confidence and its evidence."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm4tag.graphs.tagging import graph
    from llm4tag.tagger import Tagger

__all__ = ["Tagger", "graph"]


def __getattr__(name: str) -> Any:
    # Lazily: the graph takes a second to import, and `llm4tag --help` needs none of it.
    if name == "Tagger":
        from llm4tag.tagger import Tagger

        return Tagger
    if name == "graph":
        from llm4tag.graphs.tagging import graph

        return graph
    raise AttributeError(f"module 'llm4tag' has no attribute {name!r}")
