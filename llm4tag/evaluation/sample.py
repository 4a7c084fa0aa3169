"""Which documents a sample takes: the same everywhere for the same seed."""

import hashlib
from collections.abc import Iterable


def sample_ids(ids: Iterable[str], limit: int | None, seed: int = 0) -> frozenset[str]:
    """Return the first ``limit`` ids by the sha256 of ``seed:id``; all of them without a limit."""
    if limit is None:
        return frozenset(ids)
    ordered = sorted(set(ids), key=lambda one: hashlib.sha256(f"{seed}:{one}".encode()).hexdigest())
    return frozenset(ordered[:limit])
