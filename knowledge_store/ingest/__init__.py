"""Ingest: vocabularies, tagged history and knowledge from files into a knowledge store."""
