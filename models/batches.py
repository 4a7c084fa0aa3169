"""Cutting a list of texts into batches."""

from collections.abc import Iterator, Sequence


def batches(texts: Sequence[str], most_texts: int, most_chars: int) -> Iterator[list[str]]:
    """Yield the texts in order, in batches of few texts and few characters; a longer text stands alone."""
    batch: list[str] = []
    chars = 0
    for text in texts:
        if batch and (len(batch) == most_texts or chars + len(text) > most_chars):
            yield batch
            batch, chars = [], 0
        batch.append(text)
        chars += len(text)
    if batch:
        yield batch
