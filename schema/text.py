"""Text from strangers made safe to encode and to show; URLs without their secrets; differences in words."""

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit


def without_surrogates(text: str) -> str:
    """Replace lone surrogates by ``?``: JSON can spell these halves of characters, UTF-8 and providers cannot."""
    return text.encode("utf-8", "replace").decode()


def printable(text: str) -> str:
    """Return a text with its control characters spelled out; line breaks stay."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def visible(text: str) -> str:
    """Return a text on one line, its control characters spelled out."""
    return printable(" ".join(text.split()))


def public_url(url: str | None) -> str:
    """Return a URL without user, password and query, which may hold secrets; empty for None."""
    parts = urlsplit(url or "")
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))


def differences(then: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """Return in words which values differ, by name: ``model (then none, now m)``; ``none`` is None."""

    def shown(value: object) -> str:
        return "none" if value is None else str(value)

    return [
        f"{name} (then {shown(then.get(name))}, now {shown(now.get(name))})"
        for name in sorted(then.keys() | now.keys())
        if shown(then.get(name)) != shown(now.get(name))
    ]
