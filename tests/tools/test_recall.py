"""Recall as one composition: lists in, lists out, the same candidates as the graph finds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as FilePath

import pytest

from llm4tag.graphs.context import close_shared_runtimes
from llm4tag.graphs.tagging import graph
from llm4tag.knowledge_store.stores import open_store
from llm4tag.models.embedder import Progress
from llm4tag.schema import Path, UsageError
from llm4tag.schema.options import TagOptions
from llm4tag.tools import recall
from llm4tag.tools.agent_tools import recall_tools
from llm4tag.tools.artifacts import StoreReader
from llm4tag.tools.recall_plan import ALL_PATHS
from llm4tag.training.recall_fit import fit_recall
from tests.fakes.history import fill

TEXTS = ["chess board game for two", "a mail reader", "no word of it is known: qwertz"]


@contextmanager
def quiet(label: str, total: int, unit: str) -> Iterator[Progress]:
    yield lambda count: None


@pytest.fixture
async def fitted(tmp_path: FilePath) -> str:
    """Return the location of a store with a fit of recall."""
    location = str(tmp_path / "store.llm4tag")
    async with await open_store(location, embedding="none", create=True) as store:
        await fill(store)
        await fit_recall(store, quiet)
    return location


async def test_a_list_gives_what_each_content_gives_alone(fitted: str) -> None:
    async with await open_store(fitted) as store:
        reader = StoreReader(store)
        plan = await recall.plan_for(reader)
        queries = await recall.queries_for(reader, TEXTS)
        together = await recall.recall(reader, queries, plan)
        alone = [(await recall.recall(reader, [query], plan))[0] for query in queries]
        assert together == alone
        assert await recall.recall(reader, [], plan) == []
        with pytest.raises(UsageError, match="nobody"):
            await recall.recall(reader, queries, plan, within="nobody")


async def test_graph_tools_and_recall_find_the_same(fitted: str) -> None:
    async with await open_store(fitted) as store:
        reader = StoreReader(store)
        (found,) = await recall.recall(
            reader, await recall.queries_for(reader, TEXTS[:1]), await recall.plan_for(reader)
        )
        (tool,) = [one for one in recall_tools(store) if one.name == "find_tags"]
        by_tool = await tool.ainvoke({"text": TEXTS[0], "limit": 5})
    result = await graph.ainvoke({"text": TEXTS[0]}, context=TagOptions(store=fitted, use_llm=False))
    await close_shared_runtimes()
    by_graph = [(tag["id"], tag["signals"]["recall"]) for tag in result["tags"]]
    assert [(one.tag, one.recall) for one in found.candidates][: len(by_graph)] == by_graph
    assert [(one["id"], one["score"]) for one in by_tool] == by_graph[:5], "the tools use the store's fit as well"


async def test_related_tags_are_found_though_recall_was_fitted_without_that_path(fitted: str) -> None:
    async with await open_store(fitted) as store:
        await fit_recall(store, quiet, paths=ALL_PATHS - {Path.T2T})
        (tool,) = [one for one in recall_tools(store) if one.name == "related_tags"]
        assert await tool.ainvoke({"tags": ["mail"]})
