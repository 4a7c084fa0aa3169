"""The fit of recall on a store's history: first the linear scorer, then the fusion of all paths' evidence."""

import asyncio
import importlib.metadata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from llm4tag.calibration.evidence_fusion import EvidenceFusion, FusionNote
from llm4tag.calibration.history_facts import HistoryFacts
from llm4tag.calibration.log_odds import Floats, probabilities
from llm4tag.calibration.passport import FitNote, outgrown
from llm4tag.calibration.recall_prior import RecallPrior
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.models.embedder import Progress
from llm4tag.schema import Candidate, Path, now
from llm4tag.tools.artifacts import load_recall_fit, prior_for, save_recall_fit
from llm4tag.tools.recall_plan import ALL_PATHS, RecallPlan
from llm4tag.training.evidence_pairs import EvidencePairs
from llm4tag.training.fusion_fit import held_out_logits, losses_of, moved_weights
from llm4tag.training.held_out_evidence import EvidenceCollector, HeldOutEvidence
from llm4tag.training.linear_fit import LinearFit, fit_linear
from llm4tag.training.tagged_history import History, load_history

FEWEST_CONTENTS = 2
"""With fewer tagged contents there is nothing to fit."""
MOST_DOCUMENTS = 600
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
    """How many documents moved the prior of recall; 0: it stays as it is."""
    fewest_tags: int = 0
    """How many tags each of these documents has at least."""


@dataclass(frozen=True)
class HeldOutTags:
    """The candidates of documents of history, tagged as if they and their near-duplicates were not there."""

    candidates: Mapping[str, Sequence[Candidate]]
    """Of each document, best first, by its id; their probabilities are by a fit on other documents."""
    gold: Mapping[str, frozenset[str]]
    """The tags that people gave, by the document's id."""


async def fit_recall(
    store: KnowledgeStore,
    bar: Bar,
    *,
    paths: frozenset[Path] = ALL_PATHS,
    fewest_tags: int = 1,
    seed: int = 0,
) -> FitReport:
    """Fit recall as ``fit_recall_held_out`` does, where the held-out candidates are not needed."""
    report, _ = await fit_recall_held_out(store, bar, paths=paths, fewest_tags=fewest_tags, seed=seed)
    return report


async def fit_recall_held_out(
    store: KnowledgeStore,
    bar: Bar,
    *,
    paths: frozenset[Path] = ALL_PATHS,
    fewest_tags: int = 1,
    seed: int = 0,
) -> tuple[FitReport, HeldOutTags]:
    """Fit recall on everything that people tagged, and save it in the store in place of an earlier fit.

    Args:
        store: the store with the history.
        bar: shows progress.
        paths: the recall paths that the fusion learns to weigh; the linear scorer is fitted in any case.
        fewest_tags: the fusion learns from documents with at least this many tags. 1 is right where new contents
            are tagged as richly as history; more where people often stopped early.
        seed: seed of the samples.

    Raises:
        StoreError: the store failed.
    """
    history = await load_history(store)
    total = len(history)
    if total < FEWEST_CONTENTS:
        await save_recall_fit(store, None, None)
        return FitReport(tagged_contents=total), HeldOutTags({}, {})
    random = np.random.default_rng(seed)
    counts = tag_counts(history)
    fitted = await note_of_fit(store, history, total, seed)
    rows = sample_rows(history, fewest_tags, random)
    linear = await fit_linear_showing(history, fitted, bar, rows)
    if not rows:
        await save_recall_fit(store, linear.model, None)
        return _report(history, linear, total, [], None), HeldOutTags({}, {})
    scored = linear.model.seen if Path.LINEAR in paths else frozenset()
    facts = HistoryFacts.of(await store.vocabulary(), total, counts, scored)
    plan = RecallPlan.first(total, facts.novelty, paths)
    collector = EvidenceCollector(store, history, linear, facts, plan, seed)
    prior = await asyncio.to_thread(prior_for, store)
    with bar("fitting the fusion", len(rows), "contents") as advance:
        found = await collector.collect(rows, prior, advance)
        fusion, logits = await asyncio.to_thread(_moved_prior, found.pairs, prior, history, fitted, paths)
    await save_recall_fit(store, linear.model, fusion)
    return _report(history, linear, total, rows, fusion), _held_out(found, logits, history)


def _report(
    history: History, linear: LinearFit, total: int, rows: Sequence[int], fusion: EvidenceFusion | None
) -> FitReport:
    return FitReport(
        tagged_contents=total,
        linear_documents=len(history),
        linear_tags=len(linear.model.tags),
        fusion_documents=len(rows) if fusion else 0,
        fewest_tags=min((len(history.tags[row]) for row in rows), default=0),
    )


def _moved_prior(
    pairs: EvidencePairs, prior: RecallPrior, history: History, fitted: FitNote, paths: frozenset[Path]
) -> tuple[EvidenceFusion | None, Floats]:
    """Move the prior by documents of history, and return the held-out log odds of each pair.

    The fusion is None where the prior is better as it is on documents that had no part in the fit.
    """
    contents = fitted.tagged_contents
    if not (pairs.document >= 0).any():
        return None, np.zeros(len(pairs.right))
    by_fit, as_it_is = held_out_logits(pairs, prior, contents, fitted.seed)
    loss, prior_loss = (float(losses_of(logits, pairs.right).mean()) for logits in (by_fit, as_it_is))
    if loss >= prior_loss:
        return None, as_it_is
    given = [len(history.tags[int(row)]) for row in np.unique(pairs.document) if row >= 0]
    note = FusionNote(
        prior=prior.id,
        fitted=fitted.model_copy(update={"documents": len(given)}),
        paths=paths,
        pairs=len(pairs.right),
        fewest_tags=min(given),
        tags_a_document=sum(given) / len(given),
        loss=loss,
        prior_loss=prior_loss,
    )
    return EvidenceFusion(prior, note, moved_weights(pairs, prior, contents)), by_fit


def _held_out(found: HeldOutEvidence, logits: Floats, history: History) -> HeldOutTags:
    """Return the saved candidates with their held-out probabilities, best first."""
    held = probabilities(logits)
    tagged: dict[str, list[Candidate]] = {}
    for row, head in found.heads.items():
        scored = [
            one.model_copy(update={"score": float(held[pair]), "recall": float(held[pair])}) for pair, one in head
        ]
        tagged[history.ids[row]] = sorted(scored, key=lambda one: -one.score)
    return HeldOutTags(tagged, {history.ids[row]: frozenset(history.tags[row]) for row in found.heads})


def tag_counts(history: History) -> dict[str, int]:
    """Return the number of documents to which people gave each tag, by tag id."""
    return dict(Counter(tag for tags in history.tags for tag in tags))


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


async def fit_linear_showing(
    history: History, fitted: FitNote, bar: Bar, rows: Sequence[int] | None = None
) -> LinearFit:
    """Fit the linear scorer and show a progress bar; see ``fit_linear``."""
    with bar("fitting the linear scorer", len(history), "contents") as advance:
        return await asyncio.to_thread(fit_linear, history, fitted, rows, advance)


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
    return fitted is None or fitted.of_other_prior or outgrown(fitted.linear.fitted.tagged_contents, tagged)
