"""Running the command line, and asking a store what came of it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from typer.testing import CliRunner, Result

from llm4tag.cli import app
from llm4tag.knowledge_store.protocol import KnowledgeStore, StoreStatistics
from llm4tag.knowledge_store.stores import open_store
from tests.fakes.input_files import written

T = TypeVar("T")
TAGS = ({"id": "web", "name": "Web", "aliases": ["网络"]}, {"id": "mail", "name": "Mail", "parents": ["net"]})
ROWS = (
    {"id": "1", "text": "a web browser"},
    {"id": "2", "text": "reads mail", "title": "Post"},
    {"id": "3", "text": "网络 tools"},
)


def llm4tag(*args: object, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args], input=given)


def ask(location: Path | str, question: Callable[[KnowledgeStore], Awaitable[T]]) -> T:
    async def answer() -> T:
        async with await open_store(str(location)) as store:
            return await question(store)

    return asyncio.run(answer())


def statistics(location: Path | str) -> StoreStatistics:
    return ask(location, lambda store: store.statistics())


def assigned(location: Path | str, *ids: str) -> dict[str, list[str]]:
    found = ask(location, lambda store: store.assignments_of(ids))
    return {content: sorted(assignment.tag for assignment in given) for content, given in found.items()}


def ids(path: Path) -> list[str]:
    return sorted(row["id"] for row in written(path))
