"""Files that appear only when they are complete: they are written as drafts, then renamed."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """Yield a path to write to: at the end the draft takes the place of ``path``, at an error it is removed."""
    with drafts_of([path]) as (draft,):
        yield draft


@contextmanager
def drafts_of(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield a draft for each path; all of them take their places at the end, in that order, or none does."""
    # Not mkstemp's: its files are their owner's alone, whatever the umask.
    drafts = [path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial") for path in paths]
    try:
        yield drafts
        for draft, path in zip(drafts, paths, strict=True):
            draft.replace(path)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)
