"""The web page of a server, at ``/app``."""

from starlette.routing import BaseRoute

routes: list[BaseRoute] = []
"""Mounted by ``llm4tag.serving.app``."""
