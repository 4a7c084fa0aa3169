"""Events for someone who watches a run: enough to draw each stage, and nothing that changes a result."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter

from llm4tag.graphs.state import TaggingInput
from llm4tag.graphs.tagging import graph
from llm4tag.schema import CalibrationNote, Evidence, Signals, TagResult
from llm4tag.schema.options import TagOptions
from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.small_store import HISTORY

MAIL: TaggingInput = {"id": "1", "text": "a mail reader with imap"}


async def events(options: TagOptions) -> list[dict[str, Any]]:
    return [part async for part in graph.astream(MAIL, context=options, stream_mode="custom")]


def merged(said: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what all stages said of each tag, as a reader puts it together."""
    tags: dict[str, dict[str, Any]] = {}
    for event in said:
        for one in event.get("tags", []) if event["stage"] != "report" else []:
            tags.setdefault(one["id"], {}).update(one)
    return tags


@pytest.mark.parametrize("chosen", [{"use_llm": False}, {}, {"rating": True}, {"use_llm": False, "max_rounds": 2}])
async def test_stages_together_say_what_the_result_says(
    options: Callable[..., TagOptions], chosen: dict[str, Any]
) -> None:
    watched = options(widen_below=1.0, watched=True, **chosen)
    said = merged(await events(watched))
    result = TagResult.model_validate(await graph.ainvoke(MAIL, context=watched))
    assert result.tags
    assert [said[tag.id] for tag in result.tags] == [tag.model_dump(mode="json") for tag in result.tags]


async def test_recall_says_the_texts_behind_its_evidence(options: Callable[..., TagOptions]) -> None:
    said = await events(options(use_llm=False, watched=True, max_rounds=2, widen_below=1.0))
    fuse = [event for event in said if event["stage"] == "fuse_candidates"]
    texts = {id_: text for id_, text, _ in HISTORY}
    mail = next(tag for tag in fuse[0]["tags"] if tag["id"] == "mail")
    neighbours = [one["id"] for item in mail["evidence"] if item["path"] == "c2c2t" for one in item["neighbours"]]
    assert neighbours
    assert all(fuse[0]["texts"][id_] == texts[id_] for id_ in neighbours)
    linked = [item for tag in fuse[1]["tags"] for item in tag["evidence"] if item["path"] == "t2t"]
    assert linked
    assert all(link["tag"] in fuse[1]["names"] for item in linked for link in item["links"])
    read: TypeAdapter[list[Evidence]] = TypeAdapter(list[Evidence])
    assert read.validate_python(mail["evidence"])


async def test_knowledge_says_what_the_llm_is_shown(options: Callable[..., TagOptions]) -> None:
    said = {event["stage"]: event for event in await events(options(watched=True))}
    shown = said["retrieve_knowledge"]["shown"]
    assert [passage["title"] for passage in shown["passages"]] == ["IMAP"]
    assert "mail" in shown["examples"][0]["text"]
    judged = {tag["id"]: Signals.model_validate(tag["signals"]) for tag in said["judge"]["tags"]}
    assert judged["mail"].p_yes is not None
    assert judged["mail"].agreement is None
    asked = {tag["id"]: Signals.model_validate(tag["signals"]) for tag in said["generate"]["tags"]}
    assert asked["mail"].p_yes == judged["mail"].p_yes
    assert asked["mail"].agreement == 1.0
    notes = [CalibrationNote.model_validate(tag["calibration"]) for tag in said["calibrate"]["tags"]]
    assert {note.status for note in notes} == {"estimated"}
    assert all("no calibrator" in note.reason for note in notes)


async def test_a_failing_llm_is_reported_at_its_stage(
    options: Callable[..., TagOptions], fake: FakeOpenAI
) -> None:
    fake.key = "another key"
    said = {event["stage"]: event for event in await events(options(watched=True))}
    assert "401" in said["judge"]["failure"] or "key" in said["judge"]["failure"].lower()
    assert "generate" not in said


async def test_nobody_else_is_reported_names_and_texts(options: Callable[..., TagOptions]) -> None:
    said = await events(options())
    assert not [event for event in said if {"texts", "names", "shown"} & event.keys()]
    assert not [event for event in said if event["stage"] != "report" and "tags" in event]
