"""Quality of tagging on a data set, path by path, compared with Annif: ``python -m benchmarks.quality --help``."""
