"""Measurements of speed, memory and quality, run by hand: ``python -m benchmarks.NAME``."""
