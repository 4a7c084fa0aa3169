"""URLs as they may be shown."""

from urllib.parse import urlsplit, urlunsplit


def public_url(url: str | None) -> str:
    """Return the URL without user and password, empty for None."""
    parts = urlsplit(url or "")
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))
