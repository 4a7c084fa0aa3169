"""Tags that history has never seen, and tags that then get one example, without another fit."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.quality.data_sets import DataSet, rows_of, withhold
from benchmarks.quality.measurement import fill, measure
from llm4tag.evaluation import Evaluation
from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import Assignment, TaggedContent


async def emerging_rows(
    data: DataSet, embedding: str, folder: Path, share: float, counts: Mapping[str, int]
) -> dict[str, Evaluation]:
    """Withhold tags from all of history, fit, and measure only these tags; then give each one example.

    Args:
        data: the set.
        embedding: the name of the embedding model.
        folder: an empty folder for files and the store.
        share: the share of the tags to withhold.
        counts: the number of contents in history that have each tag.
    """
    without, gone = withhold(data, share, folder, counts)
    store = folder / "withheld.llm4tag"
    await fill(store, without, embedding)
    contents = [replace(one, gold=one.gold & gone) for one in data.contents() if one.gold & gone]
    name = f"{len(gone)} tags withheld"
    rows = {f"{name}: these alone": await measure(store, contents)}
    await give_examples(store, data, gone)
    rows[f"{name}: with one example each, no refit"] = await measure(store, contents)
    return rows


async def give_examples(store: Path, data: DataSet, gone: frozenset[str]) -> None:
    """Store, for each withheld tag, the first content of history that has it, with its withheld tags only."""
    wanted = set(gone)
    async with await open_store(str(store)) as opened:
        for path in data.history:
            for row in rows_of(path):
                tags = row["tags"]
                found = [tag for tag in tags if tag in wanted] if isinstance(tags, list) else []
                if found:
                    example = TaggedContent(id=f"example:{row['id']}", text=str(row["text"]))
                    assignments = tuple(Assignment(tag=tag) for tag in found)
                    await opened.upsert_contents([example.model_copy(update={"assignments": assignments})])
                    wanted -= set(found)
