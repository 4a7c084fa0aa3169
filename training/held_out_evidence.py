"""The evidence that recall would find for documents of the history without them and their near-duplicates.

In addition some tags are withheld: their evidence is computed as if the history had none or only a few examples of
them, so that the fusion learns how to judge new tags.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from llm4tag.calibration.evidence_rows import TagHistory, evidence_rows
from llm4tag.calibration.log_odds import Floats
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.models.embedder import Progress, Vector
from llm4tag.schema import Assignment, C2TEvidence, Candidate, Evidence, Path
from llm4tag.tools.candidate_fusion import fuse
from llm4tag.tools.content_to_content import Assignments, Similar, evidence_of, similar_contents
from llm4tag.tools.content_to_tag import recall_by_text
from llm4tag.tools.linear_path import linear_evidence
from llm4tag.tools.phrases import PhraseIndex
from llm4tag.tools.recall_plan import RecallPlan
from llm4tag.training.linear_fit import LinearFit
from llm4tag.training.tagged_history import History

WITHHELD = 0.15
"""The share of a document's candidates that are withheld."""
_FEW = (0, 0, 1, 2, 4)
"""How many examples of a withheld tag stay in the history; one of these is drawn."""
_AT_ONCE = 2
"""How many documents are searched at the same time."""


@dataclass(frozen=True)
class EvidencePairs:
    """Pairs of a document and a candidate, which a fusion is fitted on."""

    rows: Floats
    """The evidence as numbers, shape (pairs, features)."""
    seen: NDArray[np.bool_]
    """Whether recall's fit has seen the tag, shape (pairs,)."""
    right: NDArray[np.bool_]
    """Whether people gave the tag, shape (pairs,)."""

    @classmethod
    def of(cls, candidates: Sequence[Candidate], history: TagHistory, gold: Set[str]) -> Self:
        """Turn the candidates of one document into pairs."""
        right = np.array([candidate.tag in gold for candidate in candidates], dtype=bool)
        return cls(evidence_rows(candidates, history), history.seen_rows(candidates), right)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Concatenate pairs; there must be at least one part."""
        return cls(
            rows=np.concatenate([part.rows for part in parts]),
            seen=np.concatenate([part.seen for part in parts]),
            right=np.concatenate([part.right for part in parts]),
        )


@dataclass(frozen=True)
class _Found:
    """The part of a document's recall that does not depend on which contents have a withheld tag."""

    row: int
    by_text: Mapping[str, C2TEvidence]
    similar: Similar
    assignments: Assignments


class HeldOutEvidence:
    """Collects evidence for documents of the history.

    Args:
        store: the store that is searched, with each document's near-duplicates left out.
        history: the documents that the linear scorer was fitted on, in its order.
        linear: the scorer with its held-out scores.
        plan: the paths and depths of recall.
        seed: seed of the choice of withheld tags.
    """

    def __init__(
        self, store: KnowledgeStore, history: History, linear: LinearFit, plan: RecallPlan, seed: int
    ) -> None:
        self._store = store
        self._history = history
        self._linear = linear
        self._plan = plan
        self._random = np.random.default_rng(seed)
        carriers: dict[str, list[str]] = {}
        for content, tags in zip(history.ids, history.tags, strict=True):
            for tag in tags:
                carriers.setdefault(tag, []).append(content)
        self._carriers = carriers
        self.tags = TagHistory(
            counts={tag: len(contents) for tag, contents in carriers.items()},
            seen=linear.model.seen if Path.LINEAR in plan.paths else frozenset(),
        )

    async def collect(self, rows: Sequence[int], progress: Progress | None = None) -> EvidencePairs:
        """Collect the evidence of documents, two at a time.

        Raises:
            StoreError: a search failed.
        """
        assignable = (await self._store.vocabulary()).assignable
        parts: list[EvidencePairs] = []
        async for found in self._each(rows):
            parts.extend(self._pairs(found, assignable))
            if progress is not None:
                progress(1)
        return EvidencePairs.joined(parts)

    async def candidates(self, rows: Sequence[int]) -> AsyncIterator[tuple[int, list[Candidate]]]:
        """Yield the row of each document with its candidates, ordered by relative score; no tag is withheld.

        Raises:
            StoreError: a search failed.
        """
        assignable = (await self._store.vocabulary()).assignable
        async for found in self._each(rows):
            yield found.row, self._whole(found, assignable)

    async def _each(self, rows: Sequence[int]) -> AsyncIterator[_Found]:
        vocabulary = await self._store.vocabulary()
        phrases, assignable = PhraseIndex(vocabulary), vocabulary.assignable
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            for found in await asyncio.gather(*(self._search(row, phrases, assignable) for row in some)):
                yield found

    async def _search(self, row: int, phrases: PhraseIndex, assignable: frozenset[str]) -> _Found:
        text, vector = self._history.texts[row], self._vector(row)
        exclude = frozenset(self._history.ids[other] for other in self._linear.duplicates[row])
        vectors = [] if vector is None else [("", vector)]
        by_text: Mapping[str, C2TEvidence] = {}
        if Path.C2T in self._plan.paths:
            by_text = await recall_by_text(self._store, text, vectors, self._plan, phrases, assignable)
        similar = Similar([], [])
        if Path.C2C2T in self._plan.paths:
            similar = await similar_contents(self._store, text, vector, self._plan, exclude)
        return _Found(row, by_text, similar, await self._store.assignments_of(similar.ids))

    def _vector(self, row: int) -> Vector | None:
        return None if self._history.vectors is None else self._history.vectors[row]

    def _pairs(self, found: _Found, assignable: frozenset[str]) -> Iterator[EvidencePairs]:
        """Yield the pairs of one document: all candidates, then the withheld ones as if their tags were new."""
        gold = set(self._history.tags[found.row])
        linear = self._scored(found.row, assignable)
        candidates = self._candidates(found, linear, found.assignments, assignable)
        yield EvidencePairs.of(candidates, self.tags, gold)

        withheld = self._withheld([candidate.tag for candidate in candidates])
        linear = {tag: evidence for tag, evidence in linear.items() if tag not in withheld}
        candidates = self._candidates(found, linear, _without(found.assignments, withheld), assignable)
        tags = TagHistory(
            counts={**self.tags.counts, **{tag: len(examples) for tag, examples in withheld.items()}},
            seen=self.tags.seen - withheld.keys(),
        )
        pairs = EvidencePairs.of(candidates, tags, gold)
        chosen = np.array([candidate.tag in withheld for candidate in candidates], dtype=bool)
        yield EvidencePairs(pairs.rows[chosen], pairs.seen[chosen], pairs.right[chosen])

    def _whole(self, found: _Found, assignable: frozenset[str]) -> list[Candidate]:
        return self._candidates(found, self._scored(found.row, assignable), found.assignments, assignable)

    def _scored(self, row: int, assignable: frozenset[str]) -> Mapping[str, Evidence]:
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
        return fuse(paths, self._plan)

    def _withheld(self, tags: Sequence[str]) -> dict[str, frozenset[str]]:
        """Choose tags to withhold; return for each the contents that remain examples of it."""
        withheld: dict[str, frozenset[str]] = {}
        for tag in tags:
            if self._random.random() < WITHHELD:
                carriers = self._carriers.get(tag, [])
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
