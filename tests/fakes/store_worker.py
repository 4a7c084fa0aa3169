"""A process that writes to a store: ``python -m tests.fakes.store_worker MODE LOCATION …``."""

import asyncio
import sys
from datetime import UTC, datetime

from llm4tag.schema import Assignment, Passage, Provenance, Tag, TaggedContent
from tests.fakes.stores import open_fake

TIME = datetime(2026, 1, 1, tzinfo=UTC)


def content(number: int) -> TaggedContent:
    return TaggedContent(
        id=f"c{number}",
        title=f"title {number % 10}",
        text=f"common word{number} " + "filler " * (number % 50),
        assignments=(
            Assignment(tag=f"t{number % 7}", time=TIME),
            Assignment(tag=f"t{number % 5}", provenance=Provenance.MODEL, confidence=0.5, time=TIME),
        ),
    )


async def ingest(location: str, first: int, last: int) -> None:
    """Upsert contents in one call, printing how many were acknowledged after every batch."""
    acknowledged = first

    def report(count: int) -> None:
        nonlocal acknowledged
        acknowledged += count
        print(acknowledged, flush=True)  # noqa: T201

    async with await open_fake(location, embedding="fake", create=True) as store:
        writing = await store.upsert_contents([content(number) for number in range(first, last)], report)
        print(f"done {writing.added} {writing.changed} {writing.unchanged}", flush=True)  # noqa: T201


async def serve(location: str) -> None:
    """Do what each line of the input says, and answer ``ok`` once it is written."""
    async with await open_fake(location) as store:
        print("ready", flush=True)  # noqa: T201
        while line := (await asyncio.to_thread(sys.stdin.readline)).split():
            match line:
                case ["content", first, last]:
                    await store.upsert_contents([content(n) for n in range(int(first), int(last))])
                case ["delete", content_id]:
                    await store.delete_contents([content_id])
                case ["tag", tag_id, name]:
                    await store.upsert_tags([Tag(id=tag_id, name=name)])
                case ["assign", content_id, tag_id]:
                    await store.assign(content_id, [Assignment(tag=tag_id, time=TIME)])
                case ["passage", passage_id, text]:
                    await store.upsert_passages([Passage(id=passage_id, text=text)])
                case ["recentre"]:
                    await store.recentre()
                case ["reembed", name]:
                    await store.reembed(name)
                case _:
                    raise ValueError(line)
            print("ok", flush=True)  # noqa: T201


if __name__ == "__main__":
    mode, where, *numbers = sys.argv[1:]
    if mode == "ingest":
        asyncio.run(ingest(where, *map(int, numbers)))
    else:
        asyncio.run(serve(where))
