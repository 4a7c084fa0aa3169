"""Where a store is: the path of a file, or the address of a Weaviate server."""

from pathlib import Path

WEAVIATE_SCHEME = "weaviate"
_ADDRESS = "://"


def is_address(location: str) -> bool:
    """Say whether a location is an address, such as ``weaviate://localhost:8080/news``, not a path."""
    return _ADDRESS in location


def scheme_of(location: str) -> str:
    """Return what comes before ``://`` in an address."""
    return location.partition(_ADDRESS)[0]


def absolute_location(location: str) -> str:
    """Return one spelling of a location: a file's path is made absolute, with ``~`` and links resolved."""
    return location if is_address(location) else str(Path(location).expanduser().resolve())
