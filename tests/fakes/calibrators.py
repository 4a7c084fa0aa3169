"""Made-up calibrators, and trials whose confidences are true on average."""

from datetime import UTC, datetime

import numpy as np

from llm4tag.calibration.calibrator import Calibrator, Combination, Map, Scale
from llm4tag.calibration.confidence import ScoredCandidate
from llm4tag.calibration.guarantee import Trials
from llm4tag.calibration.passport import Passport
from llm4tag.schema import Signals


def drawn(documents: int, seed: int, together: float) -> Trials:
    """Draw documents whose confidences are true on average, their tags going wrong ``together`` (0 to 1)."""
    from scipy.stats import norm

    random = np.random.default_rng(seed)
    sizes = random.integers(3, 15, documents)
    document = np.repeat(np.arange(documents), sizes)
    confidence = random.beta(1.0, 1.0, len(document)) ** 0.6
    luck = random.normal(size=documents)[document] * together**0.5
    luck += random.normal(size=len(document)) * (1 - together) ** 0.5
    return Trials(confidence, luck < norm.ppf(confidence), document, documents)


def calibrator(
    columns: tuple[str, ...] = ("recall",), depth: int = 50, trials: Trials | None = None
) -> Calibrator:
    passport = Passport(
        time=datetime(2026, 1, 2, tzinfo=UTC),
        conditions={"model": "none", "vocabulary": "v1"},
        tagged_contents=100,
        depth=depth,
        signals=columns,
        method="by hand",
        documents=50,
        pairs=600,
        right=100,
        level=0.9,
        metrics={},
    )
    weights = np.array([*(0.5 for _ in columns), -0.5])
    scale = Scale(Combination(columns, weights), Map("none", np.zeros(0)), {"up": 2.0})
    return Calibrator(passport, scale, trials or drawn(50, 0, 0.0))


def scored(tag: str, recall: float, **signals: float) -> ScoredCandidate:
    given = Signals.model_validate({"recall": recall, **signals})
    return ScoredCandidate(tag=tag, confidence=recall, raw=recall, signals=given, evidence=())
