"""The work of the demo: fill a store with a shipped slice of debtags, tag a few contents, measure recall."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from importlib import resources
from pathlib import Path

from llm4tag.batch import run
from llm4tag.evaluation import Evaluation, evaluate, history_counts
from llm4tag.evaluation.labelled_files import LabelledContent, read_labelled
from llm4tag.knowledge_store.ingest.ingest_run import ingest_history, ingest_vocabulary
from llm4tag.knowledge_store.ingest.notices import Notes, SeenIds
from llm4tag.knowledge_store.ingest.passages import ingest_knowledge
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.knowledge_store.stores import open_store
from llm4tag.models.embedder import Progress
from llm4tag.result_files import MemorySink
from llm4tag.schema import DEFAULT_MODEL, TagResult
from llm4tag.tagger import Tagger

ProgressBar = Callable[[str, int, str], AbstractContextManager[Progress]]
"""Opens a progress bar with a label, a total and a unit."""


def demo_file(name: str) -> str:
    """Return the path of a file of the shipped slice; the file ``NOTICE`` says where the slice is from."""
    return str(resources.files("llm4tag").joinpath("demo_data", name))


async def fill_store(location: str, bar: ProgressBar) -> None:
    """Ingest the slice into a store; what the store has already stays as it is.

    Raises:
        StoreError: the store failed.
        ModelError: the embedding model is not installed or failed.
    """
    tags, groups = demo_file("tags.jsonl"), demo_file("tag_groups.jsonl")
    history, knowledge = demo_file("history.jsonl"), demo_file("knowledge.jsonl")
    async with await open_store(location, create=True) as store:
        with bar("embedding tags", _lines(tags) + _lines(groups), "tags") as advance:
            await ingest_vocabulary(store, [tags], groups=[groups], progress=advance)
        with bar("embedding history", _lines(history), "contents") as advance:
            await ingest_history(store, [history], progress=advance)
        with bar("embedding knowledge", _lines(knowledge), "passages") as advance:
            await ingest_knowledge(store, [knowledge], progress=advance)


def _lines(file: str) -> int:
    return Path(file).read_bytes().count(b"\n")


async def labelled_contents(store: KnowledgeStore) -> list[LabelledContent]:
    """Return the labelled contents of the slice; none of them is in its history."""
    found = read_labelled(demo_file("labelled.jsonl"), await store.vocabulary(), Notes(), SeenIds())
    return [item for item in found if isinstance(item, LabelledContent)]


async def tag_some(location: str, use_llm: bool, count: int) -> AsyncIterator[tuple[LabelledContent, TagResult]]:
    """Tag the first labelled contents one after another.

    Raises:
        StoreError: the store failed.
        ModelError: the LLM cannot be started.
    """
    async with await open_store(location) as store:
        labelled = await labelled_contents(store)
    async with Tagger(location, DEFAULT_MODEL, use_llm=use_llm) as tagger:
        for item in labelled[:count]:
            yield item, await tagger.atag(item.content)


async def measure_recall(location: str, bar: ProgressBar) -> Evaluation:
    """Tag all labelled contents from recall alone and measure the tags.

    Raises:
        StoreError: the store failed.
    """
    async with await open_store(location) as store:
        labelled = await labelled_contents(store)
        vocabulary = await store.vocabulary()
        counts = await history_counts(store)
    sink = MemorySink()
    async with Tagger(location, use_llm=False) as tagger:
        with bar("measuring recall", len(labelled), "contents") as advance:
            await run(tagger, [one.content for one in labelled], sink, on_result=lambda *_: advance(1))
        return evaluate(
            sink.results,
            {one.content.id: one.gold for one in labelled},
            vocabulary.assignable,
            counts,
            settings=await tagger.fingerprint(),
        )
