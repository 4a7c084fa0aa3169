"""How quality grows with history: ``python -m benchmarks.history --help``."""
