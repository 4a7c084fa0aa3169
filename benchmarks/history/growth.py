"""Quality at several sizes of history: a store is filled in a random order, and measured at each size."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.quality.data_sets import DataSet, rows_of
from llm4tag.calibration.log_odds import Floats
from llm4tag.evaluation.labelled_files import LabelledContent
from llm4tag.evaluation.metrics import RANKING, RankedTags, auroc, ece, log_loss, pairs_of
from llm4tag.knowledge_store import KnowledgeStore
from llm4tag.knowledge_store.ingest.ingest_run import ingest_vocabulary
from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import Assignment, C2TEvidence, Evidence, Provenance, Recipe, TaggedContent
from llm4tag.schema import Path as RecallPath
from llm4tag.tools import recall
from llm4tag.tools.artifacts import StoreReader

SHOWN = ("p@1", "ndcg@10", "recall@50", "f1@5", "rp@5")


@dataclass(frozen=True)
class Measured:
    """What was measured in one store: a number a document for each metric, and figures of all confidences."""

    by_document: dict[str, Floats]
    confidence: dict[str, float | None]


@dataclass
class Growth:
    """Fills copies of one vocabulary's store with history, and measures them."""

    data: DataSet
    folder: Path
    contents: Sequence[LabelledContent]
    _by_text: dict[Recipe, list[dict[str, C2TEvidence]]] = field(default_factory=dict)

    async def start(self) -> None:
        """Make the store without history."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.empty.exists():
            async with await open_store(str(self.folder / "making"), create=True) as store:
                groups = [str(self.data.groups)] if self.data.groups else ()
                await ingest_vocabulary(store, [str(self.data.tags)], groups=groups)
            (self.folder / "making").rename(self.empty)

    @property
    def empty(self) -> Path:
        """Return the place of the store without history."""
        return self.folder / "vocabulary.llm4tag"

    async def measure(self, store: KnowledgeStore, recipe: Recipe) -> Measured:
        """Recall for every content by one recipe."""
        reader = StoreReader(store)
        plan = await recall.plan_for(reader, recipe)
        queries = await recall.queries_for(
            reader, [one.content.full_text for one in self.contents], [one.content.id for one in self.contents]
        )
        # The tags' own words do not depend on history.
        if recipe not in self._by_text:
            self._by_text[recipe] = await recall.search_tags(reader, queries, plan)
        by_contents = await recall.search_contents(reader, queries, plan)
        by_linear = await recall.classify(reader, queries, plan)
        found: list[dict[RecallPath, Mapping[str, Evidence]]] = [
            {RecallPath.C2T: text, RecallPath.C2C2T: contents, RecallPath.LINEAR: linear}
            for text, contents, linear in zip(self._by_text[recipe], by_contents, by_linear, strict=True)
        ]
        recalled = await recall.fuse_found(reader, found, plan)
        ranked = []
        for one, result in zip(self.contents, recalled, strict=True):
            best = sorted(result.candidates, key=lambda item: (-(item.recall or 0), item.tag))
            ranked.append(RankedTags(tuple(c.tag for c in best), tuple(c.recall or 0.0 for c in best), one.gold))
        return measured(ranked)


def measured(ranked: Sequence[RankedTags]) -> Measured:
    """Measure ranked tags with confidences."""
    pairs, top = pairs_of(ranked), pairs_of(ranked, 5)
    return Measured(
        {name: np.array([RANKING[name](one) for one in ranked]) for name in SHOWN},
        {
            "ece": ece(pairs),
            "ece of the first five": ece(top),
            "auroc": auroc(pairs),
            "log loss": log_loss(pairs),
            "constant's log loss": constant(pairs.prevalence),
            "first five": float(top.confidence.mean()) if len(top) else None,
            "first five right": top.prevalence,
            "accepted at .5": float((top.confidence >= 0.5).sum()) / len(ranked),
            "accepted at .5 right": float(top.correct[top.confidence >= 0.5].sum()) / len(ranked),
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
