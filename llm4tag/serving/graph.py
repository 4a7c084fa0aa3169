"""The tagging graph as a server runs it: with its options as defaults, and a log line an item."""

from typing import Any

from graphs.tagging import build
from llm4tag.serving.items import ItemLog
from llm4tag.serving.options import chosen_options, served_options

items = ItemLog()
"""Knows which runs are under way."""
options = served_options(chosen_options())
"""The graph's context."""
graph: Any = build(context_schema=options).with_config(callbacks=[items])
"""Named in the server's configuration."""
