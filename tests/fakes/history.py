"""Made-up history, enough to fit on: topics with words of their own, some rare."""

import numpy as np

from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.schema import Assignment, Tag, TaggedContent

TOPICS = {
    "mail": "imap smtp letter inbox sender postage",
    "chess": "board rook bishop opening checkmate pawn",
    "web": "browser page link http html cookie",
    "audio": "sound mixer wave speaker volume codec",
    "maps": "route gps street terrain compass coordinates",
    "rare": "quasar nebula telescope parallax",
}
COMMON = "program tool library small fast simple data user file system new good"


def written(tags: tuple[str, ...], random: np.random.Generator) -> str:
    """Return a text about some topics: a few of their words among common ones."""
    words = [str(word) for tag in tags for word in random.choice(TOPICS[tag].split(), 3)]
    words += [str(word) for word in random.choice(COMMON.split(), 6)]
    random.shuffle(words)
    return " ".join(words)


def contents(count: int, seed: int = 0) -> list[TaggedContent]:
    """Return tagged contents; every twentieth repeats the one before it almost word for word."""
    random = np.random.default_rng(seed)
    made: list[TaggedContent] = []
    names = [name for name in TOPICS if name != "rare"]
    for number in range(count):
        if number % 20 == 19:
            before = made[-1]
            made.append(TaggedContent(id=f"{seed}-{number}", text=before.text, assignments=before.assignments))
            continue
        tags = tuple(str(tag) for tag in random.choice(names, int(random.integers(1, 4)), replace=False))
        if number % 40 == 7:
            tags = (*tags, "rare")
        assignments = tuple(Assignment(tag=tag) for tag in tags)
        made.append(TaggedContent(id=f"{seed}-{number}", text=written(tags, random), assignments=assignments))
    return made


async def fill(store: KnowledgeStore) -> None:
    """Put the topics and 300 contents into a store."""
    await store.upsert_tags([Tag(id=name, name=name.capitalize()) for name in TOPICS])
    await store.upsert_contents(contents(300))
