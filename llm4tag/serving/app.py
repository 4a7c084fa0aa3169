"""What the server answers beside LangGraph's own API: ``http.app`` of its configuration."""

from starlette.applications import Starlette

from llm4tag.serving import page

app = Starlette(routes=[*page.routes])
"""Merged into LangGraph's server, which serves all that it does not name."""
