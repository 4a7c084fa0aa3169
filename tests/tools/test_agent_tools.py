"""Recall paths as tools for any agent."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import Assignment, Tag, TaggedContent, UsageError
from llm4tag.tools.agent_tools import recall_tools


async def test_recall_paths_are_tools_for_any_agent(tmp_path: Path) -> None:
    async with await open_store(str(tmp_path / "s.llm4tag"), embedding="none", create=True) as store:
        await store.upsert_tags(
            [Tag(id="m", name="Mail", aliases=("e-mail",)), Tag(id="c", name="Client"), Tag(id="g", name="Games")]
        )
        tagged = (Assignment(tag="m"), Assignment(tag="c"))
        await store.upsert_contents([TaggedContent(id="1", text="reads letters with imap", assignments=tagged)])
        tools = {tool.name: tool for tool in recall_tools(store)}
        assert set(tools) == {"find_tags", "search_tags", "expand_tag_graph", "classify_content", "related_tags"}
        by_words = await tools["search_tags"].ainvoke({"text": "an e-mail program"})
        assert (by_words[0]["id"], by_words[0]["evidence"]["unit"]) == ("m", "e-mail")
        by_contents = await tools["expand_tag_graph"].ainvoke({"text": "imap letters", "limit": 1})
        assert [found["id"] for found in by_contents] in (["m"], ["c"])
        by_tags = await tools["related_tags"].ainvoke({"tags": ["m", "nobody"]})
        assert [(found["id"], found["evidence"]["links"][0]["kind"]) for found in by_tags] == [
            ("c", "cooccurrence")
        ]
        assert await tools["classify_content"].ainvoke({"text": "imap letters"}) == [], "nothing is fitted"
        by_all = await tools["find_tags"].ainvoke({"text": "an e-mail program for imap letters"})
        assert by_all[0]["id"] == "m"
        assert {item["path"] for item in by_all[0]["evidence"]} == {"c2t", "c2c2t"}
        with pytest.raises(ValidationError):
            await tools["search_tags"].ainvoke({"text": ""})
        for name, given in (
            ("search_tags", {"text": "t"}),
            ("expand_tag_graph", {"text": "t"}),
            ("find_tags", {"text": "t"}),
            ("classify_content", {"text": "t"}),
            ("related_tags", {"tags": ["m"]}),
        ):
            with pytest.raises(UsageError, match="no tag or group has the id 'nobody'"):
                await tools[name].ainvoke({**given, "within": "nobody"})
        for tool in tools.values():
            assert tool.description
            assert tool.args
