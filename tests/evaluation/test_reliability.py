"""Bins of the reliability diagram, and the quality of each signal by itself."""

import numpy as np
import pytest

from llm4tag.evaluation.evaluation_report import ranked_tags
from llm4tag.evaluation.metrics import ConfidencePairs, RankedTags
from llm4tag.evaluation.reliability import EDGES, histogram, reliability
from llm4tag.evaluation.signal_quality import COMBINED, CONSTANT, signal_qualities
from llm4tag.schema import CalibrationNote, Decision, LinearEvidence, Origin, Signals, TagDecision, TagResult


def test_bins_are_of_equal_mass_but_never_part_equal_confidences() -> None:
    confidence = np.array([0.1] * 7 + [0.2, 0.3, 0.4, 0.5, 0.9])
    correct = np.array([0.0] * 6 + [1.0] * 6)
    bins = reliability(ConfidencePairs(confidence, correct, np.arange(12)), 12, bins=4)
    assert [(one.pairs, one.lowest, one.highest) for one in bins] == [(7, 0.1, 0.1), (2, 0.2, 0.3), (3, 0.4, 0.9)]
    assert bins[0].right == pytest.approx(1 / 7)
    assert bins[2].confidence == pytest.approx(0.6)
    interval = bins[0].interval
    assert interval is not None
    assert interval[0] <= bins[0].right < interval[1]
    assert bins[2].interval == (1.0, 1.0)
    counts = histogram(ConfidencePairs(np.array([0.0, 0.1, 1.0]), np.zeros(3), np.zeros(3, dtype=int)))
    assert len(counts) == len(EDGES) - 1
    assert (counts[0], counts[-1], sum(counts)) == (1, 1, 3)


def results(count: int = 40, seed: int = 0) -> tuple[list[TagResult], list[RankedTags]]:
    """Make results whose recall knows the truth partly, whose agreement is noise and there for half the tags."""
    random = np.random.default_rng(seed)
    made, documents = [], []
    for number in range(count):
        truth = random.random(20) < 0.3
        recall = np.clip(np.where(truth, 0.7, 0.3) + random.normal(0, 0.15, 20), 0.01, 0.99)
        noise = random.random(20)
        order = np.argsort(-recall)
        tags = tuple(
            TagDecision(
                id=str(place),
                name=str(place),
                confidence=float(recall[place]),
                decision=Decision.REJECT,
                calibration=CalibrationNote(),
                signals=Signals(
                    recall=float(recall[place]),
                    agreement=float(noise[place]) if place % 2 else None,
                    samples=3 if place % 2 else 0,
                ),
                evidence=(LinearEvidence(score=1, raw=float(truth[place])),),
            )
            for place in order
        )
        origin = Origin(vocabulary="v", embedding="e", model=None)
        made.append(TagResult(id=str(number), tags=tags, origin=origin))
        documents.append(ranked_tags(made[-1], {str(place) for place in np.flatnonzero(truth)} | {"missed"}))
    return made, documents


def test_signals_alone_are_measured_on_documents_they_were_not_fitted_on() -> None:
    made, documents = results()
    heard: list[int] = []
    rows = signal_qualities(made, documents, heard.append)
    found = {one.name: one for one in rows}
    # Nobody was asked for p_yes or words, and of the paths only the linear one spoke.
    assert list(found) == [COMBINED, "recall", "agreement", "linear", CONSTANT]
    assert len(heard) == len(rows)
    constant, noise, recall = (found[name].mapped for name in (CONSTANT, "agreement", "recall"))
    assert constant is not None
    assert noise is not None
    assert recall is not None
    share = np.concatenate([one.relevant for one in documents]).mean()
    assert constant.metrics["brier"] == pytest.approx(share * (1 - share))
    assert constant.metrics["ece"] == pytest.approx(0, abs=1e-9)
    assert constant.metrics["auroc"] == 0.5
    assert found["agreement"].present == 0.5
    # Noise fitted on its own documents would beat the constant.
    assert (noise.metrics["log_loss"] or 0) >= (constant.metrics["log_loss"] or 0)
    assert (recall.metrics["log_loss"] or 9) < 0.8 * (constant.metrics["log_loss"] or 0)
    assert found["recall"].unmapped == found[COMBINED].unmapped
    assert found[COMBINED].mapped == found[COMBINED].unmapped
    assert found["linear"].unmapped is None
    assert found["linear"].mapped is not None
    assert found["linear"].mapped.metrics["auroc"] == 1


def test_one_document_gives_nothing_to_fit_on() -> None:
    made, documents = results(1)
    found = {one.name: one for one in signal_qualities(made, documents)}
    assert found["recall"].mapped is None
    assert found["recall"].unmapped is not None
