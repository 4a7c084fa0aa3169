"""Text that nobody vouches for, made safe to show."""


def printable(text: str) -> str:
    """Return a text without control characters: names and paths come from files that nobody vouches for."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def visible(text: str) -> str:
    """Return text on one line, its control characters spelled out."""
    return printable(" ".join(text.split()))
