"""Priors of recall made by hand, what moves them, and evidence with known answers."""

from datetime import UTC, datetime

import numpy as np

from llm4tag.calibration.columns import FUSION_COLUMNS
from llm4tag.calibration.evidence_fusion import EvidenceFusion, FusionNote
from llm4tag.calibration.log_odds import Floats, probabilities
from llm4tag.calibration.passport import FitNote
from llm4tag.calibration.recall_prior import GROUPS, RecallPrior
from llm4tag.tools.recall_plan import ALL_PATHS
from llm4tag.training.evidence_pairs import EvidencePairs

COLUMNS = len(FUSION_COLUMNS)
SIZES = (0, 10, 1000)
BY_HAND = "by-hand"
"""The id of these priors."""
FITTED = FitNote(
    time=datetime(2026, 1, 1, tzinfo=UTC),
    vocabulary="v",
    embedding="none",
    tagged_contents=1000,
    documents=1000,
    seed=0,
    versions={},
)


def prior(intercept: float = -3.0, **weights: float) -> RecallPrior:
    """Return a prior that weighs the named columns alike in every group and at every size of history."""
    vector = np.zeros(COLUMNS + 1)
    vector[-1] = intercept
    for name, weight in weights.items():
        vector[FUSION_COLUMNS.index(name)] = weight
    return RecallPrior(
        id=BY_HAND,
        sizes=np.array(SIZES, dtype=np.float64),
        means=np.zeros((GROUPS, COLUMNS)),
        scales=np.ones((GROUPS, COLUMNS)),
        weights=np.tile(vector, (GROUPS, len(SIZES), 1)),
    )


def moved(start: RecallPrior, by: Floats | None = None) -> EvidenceFusion:
    """Return a prior that history moved; None: by nothing."""
    note = FusionNote(
        prior=start.id,
        fitted=FITTED,
        paths=ALL_PATHS,
        pairs=10,
        fewest_tags=1,
        tags_a_document=2.0,
        loss=0.1,
        prior_loss=0.2,
    )
    return EvidenceFusion(start, note, np.zeros((GROUPS, COLUMNS + 1)) if by is None else by)


def drawn_pairs(
    documents: int, truth: Floats, *, group: int = 1, candidates: int = 10, seed: int = 0
) -> EvidencePairs:
    """Draw pairs of one group whose tags are right as often as some weights say.

    Args:
        documents: how many.
        truth: shape (columns + 1,).
        group: of all candidates.
        candidates: of each document.
        seed: of the draw.
    """
    random = np.random.default_rng(seed)
    rows = random.normal(size=(documents * candidates, COLUMNS))
    right = random.random(len(rows)) < probabilities(rows @ truth[:-1] + truth[-1])
    return EvidencePairs(
        rows=rows,
        groups=np.full(len(rows), group, dtype=np.int64),
        offsets=np.zeros(len(rows)),
        right=right,
        document=np.repeat(np.arange(documents), candidates),
        withheld=np.zeros(len(rows), dtype=bool),
    )
