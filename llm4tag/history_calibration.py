"""The fit of recall on a store's history, with a calibrator that the same history makes.

Each content of history is tagged as if it and its near-duplicates were not there, so the calibrator needs no
labelled file. Only what people tagged counts. A calibrator on a labelled file is preferred where one holds: labels
may be more complete than history.
"""

import asyncio
from collections.abc import Collection

from llm4tag.calibration.calibrator import Calibrator
from llm4tag.calibration_run import fit_calibrator
from llm4tag.evaluation.calibration_report import FitConditions
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.schema import (
    CalibrationNote,
    Candidate,
    Decision,
    Origin,
    Path,
    Signals,
    TagDecision,
    TagResult,
    UsageError,
)
from llm4tag.tagger import Tagger
from llm4tag.tools.artifacts import CalibratorKind, save_calibrator
from llm4tag.tools.recall_plan import ALL_PATHS
from llm4tag.training.recall_fit import Bar, FitReport, HeldOutTags, fit_recall_held_out

FEWEST_CONTENTS = 100
"""With fewer tagged contents history makes no calibrator."""


async def fit_history(
    store: KnowledgeStore,
    bar: Bar,
    *,
    without: Collection[Path] = (),
    fewest_tags: int = 1,
    seed: int = 0,
) -> tuple[FitReport, Calibrator | None]:
    """Fit recall on a store's history, and a calibrator where there is enough of it; both are saved in the store.

    Args:
        store: the store with the history.
        bar: shows progress.
        without: paths that recall is not to follow.
        fewest_tags: see ``fit_recall_held_out``.
        seed: of the samples and folds.

    Raises:
        StoreError: the store failed.
    """
    paths = ALL_PATHS - frozenset(without)
    report, held_out = await fit_recall_held_out(store, bar, paths=paths, fewest_tags=fewest_tags, seed=seed)
    calibrator = None
    if report.tagged_contents >= FEWEST_CONTENTS and not without:
        async with Tagger(store.location, use_llm=False) as tagger:
            made = await tagger.fit_conditions()
        with bar("calibrating on history", 1, "fits") as advance:
            calibrator = await asyncio.to_thread(calibrator_of, held_out, made, store.embedding, seed)
            advance(1)
    await save_calibrator(store, CalibratorKind.HISTORY, calibrator)
    return report, calibrator


def calibrator_of(held_out: HeldOutTags, made: FitConditions, embedding: str, seed: int) -> Calibrator | None:
    """Return the calibrator that held-out candidates make; None where there are too few to fit on.

    Args:
        held_out: the candidates of documents of history.
        made: the conditions under which new contents are tagged.
        embedding: the store's.
        seed: of the folds.
    """
    origin = Origin(vocabulary=made.conditions["vocabulary"] or "", embedding=embedding, model=None)
    results = [
        TagResult(id=document, tags=tuple(map(_decision, candidates[: made.depth])), origin=origin)
        for document, candidates in held_out.candidates.items()
    ]
    try:
        calibrator, _ = fit_calibrator(results, held_out.gold, made, source="history", seed=seed, compare=False)
    except UsageError:
        return None
    return calibrator


def _decision(candidate: Candidate) -> TagDecision:
    return TagDecision(
        id=candidate.tag,
        name=candidate.tag,
        confidence=candidate.score,
        decision=Decision.REVIEW,
        calibration=CalibrationNote(),
        signals=Signals(recall=candidate.recall),
        evidence=candidate.evidence,
    )
