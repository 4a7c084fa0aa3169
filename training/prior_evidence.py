"""The evidence that the prior of recall is fitted on: contents of several sets, recalled at many sizes of history.

Each size is a store of its own that holds a random part of the set's history. The contents that are recalled, and
their near-duplicates, are in none of them.
"""

import random
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.knowledge_store.stores import open_store
from llm4tag.models.embedder import Vectors
from llm4tag.schema import Assignment, C2TEvidence, Evidence, Provenance, TaggedContent
from llm4tag.schema import Path as RecallPath
from llm4tag.tools import recall
from llm4tag.tools.artifacts import StoreReader
from llm4tag.tools.candidate_fusion import gathered
from llm4tag.tools.linear_path import recall_by_linear
from llm4tag.tools.recall import RecallQuery, words_in
from llm4tag.tools.terms import TermWeights
from llm4tag.training.evidence_pairs import EvidencePairs
from llm4tag.training.linear_fit import LinearFit, fit_linear
from llm4tag.training.near_duplicates import near_duplicates
from llm4tag.training.recall_fit import note_of_fit
from llm4tag.training.tagged_history import History
from llm4tag.training.unrelated_texts import unrelated_texts

SIZES = (0, 5, 20, 50, 100, 200, 500, 2000, 8000)
"""The sizes of history."""
_ORDERS = {0: 1, 500: 2, 2000: 2, 8000: 1}
_SMALL_ORDERS = 3
_CONTENTS = {0: 200, 500: 120, 2000: 120, 8000: 200}
_SMALL_CONTENTS = 80
_POOL = 200
_UNRELATED = 60


class Labelled(NamedTuple):
    """A content with its right tags; none for a text about nothing."""

    id: str
    text: str
    gold: frozenset[str]


@dataclass(frozen=True)
class SizedPairs:
    """The pairs of one set at one size of history."""

    source: str
    size: int
    pairs: EvidencePairs
    unrelated: bool
    """Whether they are of texts about nothing."""


@dataclass(frozen=True)
class EvidenceSource:
    """A set: the location of a store with its vocabulary alone, and its tagged contents."""

    name: str
    licence: str
    vocabulary: Path
    contents: Sequence[Labelled]


class PriorEvidence:
    """Collects the evidence of one set.

    Args:
        source: the set.
        folder: where the stores are made.
        seed: of the orders and samples.
    """

    def __init__(self, source: EvidenceSource, folder: Path, seed: int) -> None:
        self._source = source
        self._folder = folder
        self._random = random.Random(seed)
        self._unrelated = [
            Labelled(f"unrelated:{number}", text, frozenset())
            for number, text in enumerate(unrelated_texts(_UNRELATED, seed))
        ]
        self._own_words: dict[tuple[str, int], dict[str, C2TEvidence]] = {}
        self._queries: dict[str, RecallQuery] = {}

    async def collect(self, sizes: Sequence[int] = SIZES) -> AsyncIterator[SizedPairs]:
        """Yield the pairs of each size, in each order.

        Args:
            sizes: rising numbers of tagged contents; those that the set is too small for are left out.

        Raises:
            StoreError: a store failed.
        """
        pool, history = await self._split()
        orders = max(_ORDERS.get(size, _SMALL_ORDERS) for size in sizes)
        for order in range(orders):
            shuffled = list(history)
            random.Random(order).shuffle(shuffled)
            place = self._folder / f"{self._source.name}.llm4tag"
            for name in (place, Path(f"{place}-wal"), Path(f"{place}-shm")):
                name.unlink(missing_ok=True)
            shutil.copy(self._source.vocabulary, place)
            async with await open_store(str(place)) as store:
                done = 0
                for size in sizes:
                    if size > len(shuffled) or order >= _ORDERS.get(size, _SMALL_ORDERS):
                        continue
                    await store.upsert_contents([_tagged(one) for one in shuffled[done:size]])
                    done = size
                    chosen = self._random.sample(pool, min(len(pool), _CONTENTS.get(size, _SMALL_CONTENTS)))
                    linear = await self._fitted(store, shuffled[:size])
                    for some, unrelated in ((chosen, False), (self._unrelated, True)):
                        if not unrelated or order == 0:
                            pairs = await self._pairs(store, some, linear)
                            yield SizedPairs(self._source.name, size, pairs, unrelated)

    async def _split(self) -> tuple[list[Labelled], list[Labelled]]:
        """Return the contents to recall, and those without them and their near-duplicates."""
        contents = list(self._source.contents)
        async with await open_store(str(self._source.vocabulary)) as store:
            vectors = await _vectors(store, contents)
        history = _history(contents, vectors)
        rows = self._random.sample(range(len(contents)), min(_POOL, len(contents) // 2))
        words = TermWeights.fit(history.texts).rows(history.texts)
        duplicates = near_duplicates(history.texts, words, history.vectors, rows)
        apart = {int(other) for row in rows for other in duplicates[row]}
        return [contents[row] for row in rows], [one for row, one in enumerate(contents) if row not in apart]

    async def _fitted(self, store: KnowledgeStore, contents: Sequence[Labelled]) -> LinearFit | None:
        if len(contents) < 2:
            return None
        history = _history(contents, await _vectors(store, contents))
        return fit_linear(history, await note_of_fit(store, history, len(history), 0), rows=[])

    async def _pairs(
        self, store: KnowledgeStore, contents: Sequence[Labelled], linear: LinearFit | None
    ) -> EvidencePairs:
        reader = StoreReader(store)
        plan = await recall.plan_for(reader)
        bare = await reader.facts()
        assignable = (await store.vocabulary()).assignable
        facts = bare if linear is None else replace(bare, scored=linear.model.seen)
        parts: list[EvidencePairs] = []
        for number, one in enumerate(contents):
            query = await self._query(reader, one)
            if (one.id, plan.parts) not in self._own_words:
                (self._own_words[one.id, plan.parts],) = await recall.search_tags(reader, [query], plan)
            by_text = self._own_words[one.id, plan.parts]
            (by_contents,) = await recall.search_contents(reader, [query], plan)
            by_linear = (
                {} if linear is None else recall_by_linear(linear.model, one.text, query.array, plan, assignable)
            )
            words = words_in(one.text)
            whole: dict[RecallPath, Mapping[str, Evidence]] = {
                RecallPath.C2T: by_text,
                RecallPath.C2C2T: by_contents,
                RecallPath.LINEAR: by_linear,
            }
            parts.append(EvidencePairs.of(gathered(whole), facts, words, one.gold, number))
            if linear is not None:
                # As it is until the scorer is fitted: history counts at once, the scorer has no part.
                found: dict[RecallPath, Mapping[str, Evidence]] = {
                    RecallPath.C2T: by_text,
                    RecallPath.C2C2T: by_contents,
                }
                pairs = EvidencePairs.of(gathered(found), bare, words, one.gold, number)
                parts.append(pairs.at(pairs.groups == 1))
        return EvidencePairs.joined(parts)

    async def _query(self, reader: StoreReader, one: Labelled) -> RecallQuery:
        if one.id not in self._queries:
            (self._queries[one.id],) = await recall.queries_for(reader, [one.text], [one.id])
        return self._queries[one.id]


def _tagged(one: Labelled) -> TaggedContent:
    given = tuple(Assignment(tag=tag, provenance=Provenance.HUMAN) for tag in sorted(one.gold))
    return TaggedContent(id=one.id, text=one.text, assignments=given)


async def _vectors(store: KnowledgeStore, contents: Sequence[Labelled]) -> Vectors | None:
    found = [await store.embed_query(one.text) for one in contents]
    given = [vector for vector in found if vector is not None]
    return np.stack(given) if given and len(given) == len(found) else None


def _history(contents: Sequence[Labelled], vectors: Vectors | None) -> History:
    return History(
        [one.id for one in contents],
        [one.text for one in contents],
        [tuple(sorted(one.gold)) for one in contents],
        vectors,
    )
