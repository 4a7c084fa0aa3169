"""The graph on the event loop of a server: nothing blocks it. What is served is in tests/serving."""

from collections.abc import Callable

import pytest
from blockbuster import blockbuster_ctx

from llm4tag.graphs.tagging import graph
from llm4tag.schema.options import TagOptions


@pytest.mark.parametrize("use_llm", [False, True])
async def test_no_step_blocks_the_event_loop(options: Callable[..., TagOptions], use_llm: bool) -> None:
    chosen = options(use_llm=use_llm, accept_at=1.0, widen_below=1.0, max_rounds=2)
    # What nodes call, that is: LiteLLM runs on a loop of its own, where it may block nobody else.
    with blockbuster_ctx(scanned_modules=["graphs"]):
        output = await graph.ainvoke({"text": "a mail reader with imap"}, context=chosen)
    assert output["degraded"] is None
    assert output["tags"][0]["id"] == "mail"
