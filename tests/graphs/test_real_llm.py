"""Real documents, a real store, the real 0.5B model: asserts protocol, not quality, which is not that model's."""

import json
from importlib import resources
from pathlib import Path

import pytest

from llm4tag.graphs.tagging import graph
from llm4tag.knowledge_store.ingest.ingest_run import ingest_history, ingest_vocabulary
from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import TagResult
from llm4tag.schema.options import TagOptions

DATA = resources.files("llm4tag").joinpath("demo_data")


@pytest.mark.llm
async def test_the_local_model_tags_real_documents(tmp_path: Path, local_model_path: Path) -> None:
    location = str(tmp_path / "debtags.llm4tag")
    async with await open_store(location, embedding="none", create=True) as store:
        await ingest_vocabulary(store, [str(DATA / "tags.jsonl")], groups=[str(DATA / "tag_groups.jsonl")])
        await ingest_history(store, [str(DATA / "history.jsonl")])
        vocabulary = await store.vocabulary()
    options = TagOptions(
        store=location,
        model=f"local/{local_model_path}",
        samples=2,
        generate_top=6,
        judge_top=6,
        examples=1,
        max_rounds=1,
    )
    lines = (DATA / "labelled.jsonl").read_text(encoding="utf-8").splitlines()
    for line in lines[:3]:
        row = json.loads(line)
        output = await graph.ainvoke({"id": row["id"], "text": row["text"]}, context=options)
        result = TagResult.model_validate(output)
        assert result.degraded is None
        assert {tag.id for tag in result.tags} <= vocabulary.assignable
        said = [tag.signals for tag in result.tags]
        assert sum(e.p_yes is not None for e in said) >= 6
        assert all(0.0 <= e.p_yes <= 1.0 for e in said if e.p_yes is not None)
        assert result.usage.llm_calls == 8
        assert result.usage.cached_prompt_tokens > result.usage.prompt_tokens / 2, (
            "the shared beginning is read once"
        )
        again = TagResult.model_validate(await graph.ainvoke({"text": row["text"]}, context=options))
        assert again.usage.llm_calls == 0
        assert [(tag.id, tag.confidence) for tag in again.tags] == [
            (tag.id, tag.confidence) for tag in result.tags
        ]
