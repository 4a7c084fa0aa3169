"""Recall: from a query and a plan to fused candidates with all their evidence (paper section 3.1).

The one place where the paths are composed. Graph nodes, agent tools and benchmarks call it; each function takes a
list of contents and returns a list in the same order.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from llm4tag.knowledge_store.query_checks import tags_under
from llm4tag.knowledge_store.word_tokens import tokens
from llm4tag.models.embedder import Vector
from llm4tag.schema import (
    C2C2TEvidence,
    C2TEvidence,
    Candidate,
    LinearEvidence,
    Path,
    T2TEvidence,
)
from llm4tag.tools.artifacts import StoreReader
from llm4tag.tools.candidate_fusion import PathEvidence, best_by_words, by_probability, gathered
from llm4tag.tools.content_to_content import recall_by_contents
from llm4tag.tools.content_to_tag import part_vectors, recall_by_text
from llm4tag.tools.linear_path import recall_by_linear
from llm4tag.tools.recall_plan import ALL_PATHS, RecallPlan
from llm4tag.tools.tag_to_tag import recall_by_tags

_FEWEST_CONTENTS = 200
"""With less history most tags are new, and none of them is apart."""


class RecallQuery(BaseModel):
    """What recall searches with for one content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    vector: tuple[float, ...] | None = None
    """The embedding of the text; None in a store without embeddings."""
    content: str | None = None
    """Id of the content, which is no neighbour of itself; None: the text is in no store."""

    @property
    def array(self) -> Vector | None:
        """The vector as an array of shape (dimensions,)."""
        return None if self.vector is None else np.asarray(self.vector, dtype=np.float32)


@dataclass(frozen=True)
class RecallResult:
    """What recall found for one content."""

    candidates: list[Candidate]
    """Best first, one for each tag."""
    unseen: list[str]
    """Tags among them that history lacks though it is not small, best first by their own words."""


async def queries_for(
    reader: StoreReader, texts: Sequence[str], contents: Sequence[str | None] | None = None
) -> list[RecallQuery]:
    """Embed texts to search with.

    Args:
        reader: of the store, whose embedder is taken.
        texts: one for each content.
        contents: their ids; None: they have none.

    Raises:
        ModelError: the embedder failed.
    """
    vectors = [await reader.store.embed_query(text) for text in texts]
    return [
        RecallQuery(text=text, vector=None if vector is None else tuple(map(float, vector)), content=content)
        for text, vector, content in zip(texts, vectors, contents or [None] * len(texts), strict=True)
    ]


async def plan_for(reader: StoreReader, without: frozenset[Path] = frozenset()) -> RecallPlan:
    """Return the plan of the first round, by what the store holds.

    Args:
        reader: of the store.
        without: paths that may not be followed.
    """
    facts = await reader.facts()
    return RecallPlan.first(facts.contents, facts.novelty, ALL_PATHS - without)


async def allowed_tags(reader: StoreReader, within: str | None) -> frozenset[str]:
    """Return the tags that may be found: all that can be assigned, or those under a parent.

    Raises:
        UsageError: ``within`` is the id of no parent.
    """
    vocabulary = await reader.store.vocabulary()
    return vocabulary.assignable if within is None else tags_under(vocabulary, within)


async def recall(
    reader: StoreReader, queries: Sequence[RecallQuery], plan: RecallPlan, within: str | None = None
) -> list[RecallResult]:
    """Follow the paths of a plan for each query, all but T2T, which starts from candidates; fuse what they find.

    Args:
        reader: of the store.
        queries: one for each content.
        plan: of the first round, or of a later one without what earlier rounds found.
        within: only tags under this parent; None: all.

    Raises:
        UsageError: ``within`` is the id of no parent.
        StoreError: the store failed.
    """
    by_text, by_contents, by_linear = await asyncio.gather(
        search_tags(reader, queries, plan, within),
        search_contents(reader, queries, plan, within),
        classify(reader, queries, plan, within),
    )
    found: list[Mapping[Path, PathEvidence]] = [
        {Path.C2T: text, Path.C2C2T: contents, Path.LINEAR: linear}
        for text, contents, linear in zip(by_text, by_contents, by_linear, strict=True)
    ]
    return await fuse_found(reader, queries, found, plan)


async def search_tags(
    reader: StoreReader, queries: Sequence[RecallQuery], plan: RecallPlan, within: str | None = None
) -> list[dict[str, C2TEvidence]]:
    """C2T: search the tags by the words and vectors of each content; evidence by tag id.

    Raises:
        UsageError: ``within`` is the id of no parent.
        StoreError: the store failed.
    """
    allowed = await allowed_tags(reader, within)
    if Path.C2T not in plan.paths:
        return [{} for _ in queries]
    phrases = await reader.phrases()

    async def one(query: RecallQuery) -> dict[str, C2TEvidence]:
        vectors = await part_vectors(reader.store, query.text, query.array, plan)
        return await recall_by_text(reader.store, query.text, vectors, plan, phrases, allowed, within)

    return list(await asyncio.gather(*map(one, queries)))


async def search_contents(
    reader: StoreReader, queries: Sequence[RecallQuery], plan: RecallPlan, within: str | None = None
) -> list[dict[str, C2C2TEvidence]]:
    """C2C2T: search the contents that are most like each content, and take their tags; evidence by tag id.

    Raises:
        UsageError: ``within`` is the id of no parent.
        StoreError: the store failed.
    """
    allowed = await allowed_tags(reader, within)
    if Path.C2C2T not in plan.paths:
        return [{} for _ in queries]

    async def one(query: RecallQuery) -> dict[str, C2C2TEvidence]:
        exclude = frozenset() if query.content is None else frozenset({query.content})
        return await recall_by_contents(reader.store, query.text, query.array, plan, allowed, exclude)

    return list(await asyncio.gather(*map(one, queries)))


async def classify(
    reader: StoreReader, queries: Sequence[RecallQuery], plan: RecallPlan, within: str | None = None
) -> list[dict[str, LinearEvidence]]:
    """Linear: score each content by the one-vs-rest scorer that was fitted on history; evidence by tag id.

    Raises:
        UsageError: ``within`` is the id of no parent.
        StoreError: the store failed.
    """
    allowed = await allowed_tags(reader, within)
    fit = await reader.recall_fit()
    if fit is None or not plan.follows(Path.LINEAR):
        return [{} for _ in queries]
    return [
        recall_by_linear(fit.linear, query.text, query.array, plan, allowed, query.content) for query in queries
    ]


async def follow_tags(
    reader: StoreReader, seeds: Sequence[Mapping[str, float]], plan: RecallPlan, within: str | None = None
) -> list[dict[str, T2TEvidence]]:
    """T2T: follow the tag graph from the candidates of each content so far; evidence by tag id.

    Args:
        reader: of the store.
        seeds: for each content the scores of its candidates, by tag id.
        plan: of the round.
        within: only tags under this parent; None: all.

    Raises:
        UsageError: ``within`` is the id of no parent.
        StoreError: the store failed.
    """
    allowed = await allowed_tags(reader, within)
    if not plan.follows(Path.T2T):
        return [{} for _ in seeds]
    return [await recall_by_tags(reader.store, one, plan, allowed) for one in seeds]


async def fuse_found(
    reader: StoreReader,
    queries: Sequence[RecallQuery],
    found: Sequence[Mapping[Path, PathEvidence]],
    plan: RecallPlan,
) -> list[RecallResult]:
    """Fuse the evidence of all paths and rounds into the candidates of each content.

    Args:
        reader: of the store.
        queries: one for each content.
        found: for each content its evidence by path and tag id.
        plan: of the round.

    Raises:
        StoreError: the store failed.
    """
    fusion = await reader.fusion(plan.paths)
    facts = await reader.facts(scored=Path.LINEAR in plan.paths)
    known = facts.scored or facts.counts.keys()
    recalled = []
    for query, one in zip(queries, found, strict=True):
        candidates = by_probability(gathered(one), fusion, facts, words_in(query.text))
        unseen = best_by_words(candidates, known) if facts.contents >= _FEWEST_CONTENTS else []
        recalled.append(RecallResult(candidates, unseen))
    return recalled


def words_in(text: str) -> int:
    """Return the number of words of a text."""
    return len(tokens(text))
