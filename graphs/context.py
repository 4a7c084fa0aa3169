"""The graph's context: the options of tagging, declared in ``llm4tag.schema.options``."""

from llm4tag.schema.options import TagOptions, wrong_option

__all__ = ["TagOptions", "wrong_option"]
