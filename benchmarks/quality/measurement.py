"""Measurement of a data set: fill a store, tag the labelled contents, evaluate the results."""

import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.quality.data_sets import DataSet
from llm4tag.evaluation import Evaluation, evaluate, history_counts
from llm4tag.evaluation.labelled_files import LabelledContent
from llm4tag.knowledge_store.ingest.ingest_run import ingest_history, ingest_vocabulary
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.knowledge_store.stores import open_store
from llm4tag.models.embedder import Progress
from llm4tag.schema import Path as RecallPath
from llm4tag.schema import TagResult
from llm4tag.tagger import Tagger
from llm4tag.tools.recall_plan import ALL_PATHS
from llm4tag.training.recall_fit import fit_recall


def command_line(module: str) -> list[str]:
    """Return the command that runs, with the names of files and folders but not where they are on this machine."""
    return ["python", "-m", module, *(Path(one).name if "/" in one else one for one in sys.argv[1:])]


@contextmanager
def quiet(label: str, total: int, unit: str) -> Iterator[Progress]:
    """Show no progress."""
    yield lambda count: None


async def ingest_tags(store: KnowledgeStore, data: DataSet) -> None:
    """Ingest the vocabulary of a set, with its groups where it has any."""
    await ingest_vocabulary(store, [str(data.tags)], groups=[str(data.groups)] if data.groups else ())


def peak_mb() -> int:
    """Return the most memory that this process has had, in MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)


async def fill(location: Path, data: DataSet, embedding: str) -> None:
    """Ingest vocabulary and history into a store, and fit recall; what the store has already stays."""
    async with await open_store(str(location), embedding=embedding, create=True) as store:
        await ingest_tags(store, data)
        if data.history:
            await ingest_history(store, [str(path) for path in data.history])
    await fit(location)


async def fit(location: Path, without: frozenset[RecallPath] = frozenset()) -> None:
    """Fit recall on the store's history, leaving paths out."""
    async with await open_store(str(location)) as store:
        await fit_recall(store, quiet, paths=ALL_PATHS - without)


async def measure(location: Path, contents: Sequence[LabelledContent], **options: Any) -> Evaluation:
    """Tag contents without an LLM, one after another, and measure the tags."""
    async with Tagger(location, use_llm=False, max_rounds=1, **options) as tagger:
        results = [await tagger.atag(one.content) for one in contents]
        settings = await tagger.fingerprint()
    return await measured(location, results, contents, settings)


async def measured(
    location: Path,
    results: Sequence[TagResult],
    contents: Sequence[LabelledContent],
    settings: dict[str, str | None],
) -> Evaluation:
    """Measure results, whoever made them, against the gold tags."""
    async with await open_store(str(location)) as store:
        vocabulary, counts = await store.vocabulary(), await history_counts(store)
    return evaluate(
        results,
        {one.content.id: one.gold for one in contents},
        vocabulary.assignable,
        counts,
        settings=settings,
    )
