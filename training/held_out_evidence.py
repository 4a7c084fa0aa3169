"""The evidence that recall would find for documents of the history without them and their near-duplicates.

In addition some tags are withheld: their evidence is computed as if the history had only a few examples of them,
given since the linear scorer was fitted, or none, so that the fusion learns how to judge these.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from llm4tag.calibration.history_facts import HistoryFacts
from llm4tag.calibration.recall_prior import RecallPrior
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.models.embedder import Progress, Vector
from llm4tag.schema import Assignment, C2TEvidence, Candidate, Evidence, Path
from llm4tag.tools.artifacts import StoreReader
from llm4tag.tools.candidate_fusion import gathered
from llm4tag.tools.content_to_content import Assignments, Similar, evidence_of, similar_contents
from llm4tag.tools.content_to_tag import part_vectors, recall_by_text
from llm4tag.tools.linear_path import linear_evidence, recall_by_linear
from llm4tag.tools.recall import words_in
from llm4tag.tools.recall_plan import RecallPlan
from llm4tag.training.evidence_pairs import EvidencePairs
from llm4tag.training.linear_fit import LinearFit
from llm4tag.training.tagged_history import History
from llm4tag.training.unrelated_texts import unrelated_texts

WITHHELD = 0.15
"""The share of a document's candidates that are withheld."""
_FEW = (0, 0, 1, 2, 4)
"""How many examples of a withheld tag stay in the history; one of these is drawn."""
_HEAD = 60
"""How many candidates of each document are saved; confidences are measured over the first 40."""
_UNRELATED_SHARE, _MOST_UNRELATED = 10, 30
"""For ten documents there is one text about nothing, so that a fit does not unlearn to accept nothing there."""
_AT_ONCE = 2
"""How many documents are searched at the same time."""


@dataclass(frozen=True)
class HeldOutEvidence:
    """What was collected."""

    pairs: EvidencePairs
    heads: Mapping[int, Sequence[tuple[int, Candidate]]]
    """The likeliest candidates of each document by the prior, each with the row of its pair, by document."""


@dataclass(frozen=True)
class _Found:
    """The part of a document's recall that does not depend on which contents have a withheld tag."""

    row: int
    by_text: Mapping[str, C2TEvidence]
    similar: Similar
    assignments: Assignments


class EvidenceCollector:
    """Collects evidence for documents of the history.

    Args:
        store: the store that is searched, with each document's near-duplicates left out.
        history: the documents that the linear scorer was fitted on, in its order.
        linear: the scorer with its held-out scores.
        facts: of the store's whole history.
        plan: the paths and depths of recall.
        seed: seed of the choice of withheld tags.
    """

    def __init__(
        self,
        store: KnowledgeStore,
        history: History,
        linear: LinearFit,
        facts: HistoryFacts,
        plan: RecallPlan,
        seed: int,
    ) -> None:
        self._store = store
        self._reader = StoreReader(store)
        self._history = history
        self._linear = linear
        self._facts = facts
        self._plan = plan
        self._random = np.random.default_rng(seed)
        self._carriers: dict[str, list[str]] = {}
        for content, tags in zip(history.ids, history.tags, strict=True):
            for tag in tags:
                self._carriers.setdefault(tag, []).append(content)

    async def collect(
        self, rows: Sequence[int], prior: RecallPrior, progress: Progress | None = None
    ) -> HeldOutEvidence:
        """Collect the evidence of documents, two at a time.

        Args:
            rows: of the documents in the history.
            prior: by which the likeliest candidates are chosen.
            progress: called with 1 after each.

        Raises:
            StoreError: a search failed.
        """
        assignable = (await self._store.vocabulary()).assignable
        weights = prior.weights_at(self._facts.contents)
        parts: list[EvidencePairs] = []
        heads: dict[int, list[tuple[int, Candidate]]] = {}
        done = 0
        async for found in self._each(rows):
            for pairs, candidates in self._pairs(found, assignable):
                if candidates:
                    logits = prior.logits(pairs.rows, pairs.groups, pairs.offsets, weights)
                    best = np.argsort(-logits, kind="stable")[:_HEAD]
                    heads[found.row] = [(done + int(place), candidates[place]) for place in best]
                parts.append(pairs)
                done += len(pairs.right)
            if progress is not None:
                progress(1)
        parts.extend([pairs async for pairs in self._unrelated(len(rows))])
        return HeldOutEvidence(EvidencePairs.joined(parts), heads)

    def facts_without(self, row: int) -> HistoryFacts:
        """Return the facts as if a document and its near-duplicates were not there."""
        return self._facts.without(self._history.tags[other] for other in self._linear.duplicates[row])

    async def candidates(self, rows: Sequence[int]) -> AsyncIterator[tuple[int, list[Candidate]]]:
        """Yield the row of each document with its candidates, which have no score yet; no tag is withheld.

        Raises:
            StoreError: a search failed.
        """
        assignable = (await self._store.vocabulary()).assignable
        async for found in self._each(rows):
            yield found.row, self._whole(found, assignable)

    async def _each(self, rows: Sequence[int]) -> AsyncIterator[_Found]:
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            for found in await asyncio.gather(*(self._search_without(row) for row in some)):
                yield found

    async def _search_without(self, row: int) -> _Found:
        exclude = frozenset(self._history.ids[other] for other in self._linear.duplicates[row])
        return await self._search(row, self._history.texts[row], self._vector(row), exclude)

    async def _search(
        self,
        row: int,
        text: str,
        vector: Vector | None,
        exclude: frozenset[str],
    ) -> _Found:
        vectors = await part_vectors(self._store, text, vector, self._plan)
        phrases, assignable = await self._reader.phrases(), (await self._store.vocabulary()).assignable
        by_text: Mapping[str, C2TEvidence] = {}
        if Path.C2T in self._plan.paths:
            by_text = await recall_by_text(self._store, text, vectors, self._plan, phrases, assignable)
        similar = Similar([], [])
        if Path.C2C2T in self._plan.paths:
            similar = await similar_contents(self._store, text, vector, self._plan, exclude)
        return _Found(row, by_text, similar, await self._store.assignments_of(similar.ids))

    async def _unrelated(self, documents: int) -> AsyncIterator[EvidencePairs]:
        """Yield the pairs of a few texts about nothing, none of them right: their documents are below 0."""
        count = min(_MOST_UNRELATED, -(-documents // _UNRELATED_SHARE))
        assignable = (await self._store.vocabulary()).assignable
        for number, text in enumerate(unrelated_texts(count, 0)):
            vector = await self._store.embed_query(text)
            found = await self._search(-1 - number, text, vector, frozenset())
            linear: Mapping[str, Evidence] = {}
            if self._plan.follows(Path.LINEAR):
                linear = recall_by_linear(self._linear.model, text, vector, self._plan, assignable)
            candidates = self._candidates(found, linear, found.assignments, assignable)
            yield EvidencePairs.of(candidates, self._facts, words_in(text), frozenset(), found.row)

    def _vector(self, row: int) -> Vector | None:
        return None if self._history.vectors is None else self._history.vectors[row]

    def _pairs(
        self, found: _Found, assignable: frozenset[str]
    ) -> Iterator[tuple[EvidencePairs, Sequence[Candidate]]]:
        """Yield the pairs of one document with its candidates, then those of the withheld tags without."""
        gold, words = set(self._history.tags[found.row]), words_in(self._history.texts[found.row])
        facts = self.facts_without(found.row)
        linear = self._by_linear(found.row, assignable)
        candidates = self._candidates(found, linear, found.assignments, assignable)
        yield EvidencePairs.of(candidates, facts, words, gold, found.row), candidates

        withheld = self._withheld([one.tag for one in candidates if facts.counts.get(one.tag)], found.row)
        linear = {tag: evidence for tag, evidence in linear.items() if tag not in withheld}
        candidates = self._candidates(found, linear, _without(found.assignments, withheld), assignable)
        few = replace(
            facts,
            counts={**facts.counts, **{tag: len(examples) for tag, examples in withheld.items()}},
            scored=facts.scored - withheld.keys(),
        )
        pairs = EvidencePairs.of(candidates, few, words, gold, found.row, withheld=True)
        yield pairs.at(np.array([candidate.tag in withheld for candidate in candidates], dtype=bool)), ()

    def _whole(self, found: _Found, assignable: frozenset[str]) -> list[Candidate]:
        return self._candidates(found, self._by_linear(found.row, assignable), found.assignments, assignable)

    def _by_linear(self, row: int, assignable: frozenset[str]) -> Mapping[str, Evidence]:
        if Path.LINEAR not in self._plan.paths:
            return {}
        return linear_evidence(self._linear.model.tags, self._linear.held_out(row), self._plan, assignable)

    def _candidates(
        self,
        found: _Found,
        linear: Mapping[str, Evidence],
        assignments: Assignments,
        assignable: frozenset[str],
    ) -> list[Candidate]:
        by_contents = evidence_of(found.similar, assignments, assignable, self._plan)
        paths: dict[Path, Mapping[str, Evidence]] = {
            Path.C2T: found.by_text,
            Path.C2C2T: by_contents,
            Path.LINEAR: linear,
        }
        return gathered(paths)

    def _withheld(self, tags: Sequence[str], row: int) -> dict[str, frozenset[str]]:
        """Choose tags to withhold; return for each the contents that remain examples of it."""
        withheld: dict[str, frozenset[str]] = {}
        own = {self._history.ids[other] for other in self._linear.duplicates[row]}
        for tag in tags:
            if self._random.random() < WITHHELD:
                carriers = [content for content in self._carriers.get(tag, ()) if content not in own]
                count = min(len(carriers), int(self._random.choice(_FEW)))
                chosen = self._random.choice(len(carriers), count, replace=False) if count else ()
                withheld[tag] = frozenset(carriers[int(place)] for place in chosen)
        return withheld


def _without(
    assignments: Assignments, withheld: Mapping[str, frozenset[str]]
) -> dict[str, tuple[Assignment, ...]]:
    """Remove withheld tags from all contents except those that remain examples of them."""
    return {
        content: tuple(item for item in given if item.tag not in withheld or content in withheld[item.tag])
        for content, given in assignments.items()
    }
