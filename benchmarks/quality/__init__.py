"""How good tagging is on a data set, path by path, beside Annif: ``python -m benchmarks.quality --help``."""
