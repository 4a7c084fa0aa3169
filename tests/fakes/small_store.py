"""A small real store of tags, tagged history and a passage, searched by words only, and a content for it."""

from pathlib import Path

import pytest

from llm4tag.graphs.state import TaggingInput
from llm4tag.graphs.tagging import graph
from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import Assignment, Passage, Tag, TaggedContent, TagResult
from llm4tag.schema.options import TagOptions

TAGS = [
    Tag(id="mail", name="Mail", description="Electronic letters", aliases=("e-mail",), parents=("topic",)),
    Tag(id="chess", name="Chess", aliases=("chess game",), parents=("games",)),
    Tag(id="games", name="Games", parents=("topic",)),
    Tag(id="web", name="Web", aliases=("world wide web",), parents=("topic",)),
    Tag(id="server", name="Server", parents=("role",)),
    Tag(id="client", name="Client", parents=("role",)),
    Tag(id="secret", name="Secret", parents=("role",), retired=True),
    Tag(id="topic", name="Topic", group=True),
    Tag(id="role", name="Role", group=True),
]


HISTORY = [
    ("h1", "imap mail reader for the terminal", ("mail", "client")),
    ("h2", "graphical mail reader with address book", ("mail", "client")),
    ("h3", "fast mail transport daemon", ("mail", "server")),
    ("h4", "play chess against the computer on a board", ("chess", "games")),
    ("h5", "chess board with opening book", ("chess", "games")),
    ("h6", "web browser for the desktop", ("web", "client")),
    ("h7", "small web daemon that serves pages", ("web", "server")),
    ("h8", "card game collection", ("games",)),
]


@pytest.fixture
async def store(tmp_path: Path) -> str:
    """Return the location of a store with tags, tagged history and a passage; words only."""
    location = str(tmp_path / "store.llm4tag")
    async with await open_store(location, embedding="none", create=True) as opened:
        await opened.upsert_tags(TAGS)
        await opened.upsert_contents(
            [
                TaggedContent(id=id_, text=text, assignments=tuple(Assignment(tag=tag) for tag in tags))
                for id_, text, tags in HISTORY
            ]
        )
        await opened.upsert_passages([Passage(id="p1", title="IMAP", text="IMAP is a protocol to read mail.")])
    return location


@pytest.fixture
async def vocabulary_store(tmp_path: Path) -> str:
    """Return the location of a store with tags only."""
    location = str(tmp_path / "vocabulary.llm4tag")
    async with await open_store(location, embedding="none", create=True) as opened:
        await opened.upsert_tags(TAGS)
    return location


MAIL: TaggingInput = {"id": "new", "text": "a mail reader with imap for the terminal"}


async def tag(content: TaggingInput, options: TagOptions) -> TagResult:
    """Return the result of the graph for a content."""
    return TagResult.model_validate(await graph.ainvoke(content, context=options))
