"""Configurations of the LLM compared on the same documents, with cached answers or live ones."""
