"""Quality at several sizes of history: a store is filled in a random order, and measured at each size."""

import random
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.quality.data_sets import DataSet, rows_of
from benchmarks.quality.measurement import ingest_tags, quiet
from llm4tag.calibration.log_odds import Floats
from llm4tag.evaluation.labelled_files import LabelledContent
from llm4tag.evaluation.metrics import RANKING, RankedTags, auroc, ece, log_loss, pairs_of
from llm4tag.knowledge_store import KnowledgeStore
from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import Assignment, C2TEvidence, Evidence, Provenance, TaggedContent
from llm4tag.schema import Path as RecallPath
from llm4tag.tools import recall
from llm4tag.tools.artifacts import StoreReader
from llm4tag.training.recall_fit import fit_recall
from llm4tag.training.unrelated_texts import unrelated_texts

SHOWN = ("p@1", "ndcg@10", "recall@50", "f1@5", "rp@5")
SMALL = (5, 20, 50, 100, 200)
LARGE = (500, 2000)
UNRELATED = 90
ALL = "all"


@dataclass(frozen=True)
class Measured:
    """What was measured in one store."""

    by_document: Floats
    """A number for each metric of ``SHOWN`` and each document, shape (metrics, documents)."""
    confidence: dict[str, float | None]
    """Figures of all confidences."""


@dataclass
class Growth:
    """Fills copies of one vocabulary's store with history, and measures them.

    Args:
        data: the set.
        folder: where the stores are made.
        contents: the labelled contents.
    """

    data: DataSet
    folder: Path
    contents: Sequence[LabelledContent]
    _own_words: dict[int, list[dict[str, C2TEvidence]]] = field(default_factory=dict)
    _queries: list[recall.RecallQuery] = field(default_factory=list)

    async def start(self) -> None:
        """Make the store without history."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.empty.exists():
            making = self.folder / "making.llm4tag"
            async with await open_store(str(making), create=True) as store:
                await ingest_tags(store, self.data)
            making.rename(self.empty)

    @property
    def empty(self) -> Path:
        """The place of the store without history."""
        return self.folder / "vocabulary.llm4tag"

    async def grow(
        self, orders: int, large_orders: int, most: int | None = None
    ) -> AsyncIterator[tuple[str, int, KnowledgeStore]]:
        """Yield the name of each size, the order and the store that has it, with recall fitted.

        Args:
            orders: random orders of history, up to 200 contents.
            large_orders: orders beyond; the whole history is measured once.
            most: larger sizes are left out; None: none is.
        """
        async with await open_store(str(self.empty)) as store:
            yield "0", 0, store
        history = history_of(self.data)
        for order in range(orders if history else 0):
            shuffled = in_order(history, order)
            place = self.folder / "grown.llm4tag"
            for name in (place, Path(f"{place}-wal"), Path(f"{place}-shm")):
                name.unlink(missing_ok=True)
            shutil.copy(self.empty, place)
            done = 0
            async with await open_store(str(place)) as store:
                large = LARGE if order < large_orders else ()
                for size in (*SMALL, *large, *((len(history),) if order == 0 else ())):
                    if size > (len(history) if most is None else most):
                        continue
                    await store.upsert_contents(shuffled[done:size])
                    done = size
                    await fit_recall(store, quiet)
                    yield ALL if size == len(history) else str(size), order, store

    async def measure(self, store: KnowledgeStore) -> Measured:
        """Recall every labelled content, and texts about nothing."""
        reader = StoreReader(store)
        plan = await recall.plan_for(reader)
        texts = [one.content.full_text for one in self.contents] + unrelated_texts(UNRELATED, 7)
        if not self._queries:
            ids = [one.content.id for one in self.contents] + [None] * UNRELATED
            self._queries = await recall.queries_for(reader, texts, ids)
        # The tags' own words do not depend on history.
        if plan.parts not in self._own_words:
            self._own_words[plan.parts] = await recall.search_tags(reader, self._queries, plan)
        by_contents = await recall.search_contents(reader, self._queries, plan)
        by_linear = await recall.classify(reader, self._queries, plan)
        found: list[dict[RecallPath, Mapping[str, Evidence]]] = [
            {RecallPath.C2T: text, RecallPath.C2C2T: contents, RecallPath.LINEAR: linear}
            for text, contents, linear in zip(self._own_words[plan.parts], by_contents, by_linear, strict=True)
        ]
        recalled = await recall.fuse_found(reader, self._queries, found, plan)
        gold = [one.gold for one in self.contents] + [frozenset[str]()] * UNRELATED
        ranked = [
            RankedTags(tuple(c.tag for c in one.candidates), tuple(c.recall or 0.0 for c in one.candidates), tags)
            for one, tags in zip(recalled, gold, strict=True)
        ]
        return measured(ranked[: len(self.contents)], ranked[len(self.contents) :])


def measured(ranked: Sequence[RankedTags], unrelated: Sequence[RankedTags]) -> Measured:
    """Measure ranked tags with confidences, of contents and of texts about nothing."""
    pairs, top = pairs_of(ranked), pairs_of(ranked, 5)
    accepted = top.confidence >= 0.5
    return Measured(
        np.array([[RANKING[name](one) for one in ranked] for name in SHOWN]),
        {
            "ece": ece(pairs),
            "ece of the first five": ece(top),
            "auroc": auroc(pairs),
            "log loss": log_loss(pairs),
            "constant's log loss": constant(pairs.prevalence),
            "first five": float(top.confidence.mean()) if len(top) else None,
            "first five right": top.prevalence,
            "accepted at .5": float(accepted.sum()) / len(ranked),
            "accepted at .5 right": float(top.correct[accepted].sum()) / len(ranked),
            "accepted of texts about nothing": float(sum(c >= 0.5 for one in unrelated for c in one.confidences)),
        },
    )


def constant(share: float | None) -> float | None:
    """Return the log loss of the constant that equals the share of right pairs."""
    if not share or share == 1:
        return None
    return float(-(share * np.log(share) + (1 - share) * np.log(1 - share)))


def history_of(data: DataSet) -> list[TaggedContent]:
    """Return the tagged contents of a set, in the order of its files."""
    return [
        TaggedContent(
            id=row["id"],
            text=row["text"],
            assignments=tuple(Assignment(tag=tag, provenance=Provenance.HUMAN) for tag in row["tags"]),
        )
        for path in data.history
        for row in rows_of(path)
    ]


def in_order(history: Sequence[TaggedContent], order: int) -> list[TaggedContent]:
    """Return the contents in one random order; the first of them are the history of every smaller size."""
    shuffled = list(history)
    random.Random(order).shuffle(shuffled)
    return shuffled
