"""Progress bars: one that shows nothing, and one that records what it shows."""

from collections.abc import Iterator
from contextlib import contextmanager

from llm4tag.models.embedder import Progress


class RecordedBars:
    """Records what is shown."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.total: dict[str, int] = {}

    @contextmanager
    def __call__(self, label: str, total: int, unit: str) -> Iterator[Progress]:
        self.total[label] = total
        self.done[label] = 0

        def advance(count: int) -> None:
            self.done[label] += count

        yield advance


@contextmanager
def quiet(label: str, total: int, unit: str) -> Iterator[Progress]:
    yield lambda count: None
