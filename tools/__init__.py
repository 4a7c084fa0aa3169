"""Recall tools: candidates for a content, each with its evidence (paper section 3.1)."""
