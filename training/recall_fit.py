"""The fit of recall on a store's history: first the linear scorer, then the fusion of all paths' evidence."""

import asyncio
import importlib.metadata
import math
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
from pydantic import BaseModel, ConfigDict

from llm4tag.calibration.evidence_fusion import EvidenceFusion, FusionNote
from llm4tag.calibration.passport import FitNote
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.models.embedder import Progress
from llm4tag.schema import Path, Recipe, now
from llm4tag.tools.artifacts import load_recall_fit, save_recall_fit
from llm4tag.tools.recall_plan import ALL_PATHS, RecallPlan
from llm4tag.training.fusion_fit import fit_weights
from llm4tag.training.held_out_evidence import HeldOutEvidence
from llm4tag.training.linear_fit import LinearFit, fit_linear
from llm4tag.training.tagged_history import History, load_history

FEWEST_CONTENTS = 200
"""With fewer tagged contents nothing is fitted: a cautious choice, not a measured one."""
FEWEST_RICH_DOCUMENTS = 50
"""With fewer richly tagged documents no fusion is fitted."""
MOST_CONTENTS = 10_000
"""Size of the sample that the linear scorer is fitted on: the cost of the fit grows with its cube."""
MOST_DOCUMENTS = 1_000
"""Size of the sample that the fusion is fitted on."""

Bar = Callable[[str, int, str], AbstractContextManager[Progress]]
"""Opens a progress bar with a label, a total and a unit."""


class FitReport(BaseModel):
    """What was fitted, and on how much."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tagged_contents: int
    linear_documents: int = 0
    """How many documents the linear scorer was fitted on; 0: no linear scorer was fitted."""
    linear_tags: int = 0
    """How many tags the linear scorer knows."""
    fusion_documents: int = 0
    """How many documents the fusion was fitted on; 0: no fusion was fitted."""
    fewest_tags: int = 0
    """How many tags each of the fusion's documents has at least."""


async def fit_recall(
    store: KnowledgeStore,
    bar: Bar,
    *,
    paths: frozenset[Path] = ALL_PATHS,
    fewest_tags: int | None = None,
    seed: int = 0,
) -> FitReport:
    """Fit recall on everything that people tagged, and save it in the store in place of an earlier fit.

    Args:
        store: the store with the history.
        bar: shows progress.
        paths: the recall paths that the fusion learns to weigh; the linear scorer is fitted in any case.
        fewest_tags: the fusion learns from documents with at least this many tags; None: the average number,
            rounded up, because contents with fewer tags are often tagged incompletely.
        seed: seed of the samples.

    Raises:
        StoreError: the store failed.
    """
    history = await load_history(store)
    total = len(history)
    if total < FEWEST_CONTENTS:
        await save_recall_fit(store, None, None)
        return FitReport(tagged_contents=total)
    random = np.random.default_rng(seed)
    if total > MOST_CONTENTS:
        history = history.rows(np.sort(random.choice(total, MOST_CONTENTS, replace=False)))
    fitted = await note_of_fit(store, history, total, seed)
    linear = await fit_linear_showing(history, fitted, bar)
    least = fewest_tags or average_tags(history)
    rows = sample_rows(history, least, random)
    fusion = None
    if len(rows) >= FEWEST_RICH_DOCUMENTS:
        plan = RecallPlan.first(total, Recipe.LEARNED, paths)
        with bar("fitting the fusion", len(rows), "contents") as advance:
            pairs = await HeldOutEvidence(store, history, linear, plan, seed).collect(rows, advance)
            weights = await asyncio.to_thread(fit_weights, pairs)
        note = FusionNote(
            fitted=fitted.model_copy(update={"documents": len(rows)}),
            paths=paths,
            pairs=len(pairs.right),
            fewest_tags=least,
            tags_a_document=sum(len(history.tags[row]) for row in rows) / len(rows),
        )
        fusion = EvidenceFusion(note, weights)
    await save_recall_fit(store, linear.model, fusion)
    return FitReport(
        tagged_contents=total,
        linear_documents=len(history),
        linear_tags=len(linear.model.tags),
        fusion_documents=len(rows) if fusion else 0,
        fewest_tags=least if fusion else 0,
    )


async def note_of_fit(store: KnowledgeStore, history: History, total: int, seed: int) -> FitNote:
    """Return the record of a fit.

    Args:
        store: the store with the history.
        history: the tagged contents that are fitted on.
        total: how many tagged contents the store has.
        seed: seed of the samples.
    """
    return FitNote(
        time=now(),
        vocabulary=(await store.vocabulary()).version,
        embedding=store.embedding,
        tagged_contents=total,
        documents=len(history),
        seed=seed,
        versions={name: importlib.metadata.version(name) for name in ("numpy", "scipy", "scikit-learn")},
    )


async def fit_linear_showing(history: History, fitted: FitNote, bar: Bar) -> LinearFit:
    """Fit the linear scorer and show a progress bar."""
    with bar("fitting the linear scorer", len(history), "contents") as advance:
        linear = await asyncio.to_thread(fit_linear, history, fitted)
        advance(len(history))
    return linear


def average_tags(history: History) -> int:
    """Return the average number of tags of a document, rounded up."""
    return math.ceil(sum(len(tags) for tags in history.tags) / max(1, len(history)))


def sample_rows(history: History, least: int, random: np.random.Generator) -> list[int]:
    """Draw up to ``MOST_DOCUMENTS`` documents with at least ``least`` tags; return their rows."""
    rich = np.flatnonzero([len(tags) >= least for tags in history.tags])
    chosen = random.choice(rich, min(len(rich), MOST_DOCUMENTS), replace=False)
    return [int(row) for row in chosen]


async def fit_is_due(store: KnowledgeStore) -> bool:
    """Return whether the history is large enough for a fit, and there is none or one on a much smaller history."""
    tagged = (await store.statistics()).tagged_contents
    if tagged < FEWEST_CONTENTS:
        return False
    fitted = await load_recall_fit(store)
    return fitted is None or bool(fitted.warning(tagged))
