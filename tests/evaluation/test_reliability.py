"""Bins of the reliability diagram, and each signal alone."""

import numpy as np
import pytest

from llm4tag.evaluation.evaluation_report import document_of
from llm4tag.evaluation.metrics import Document, Pairs
from llm4tag.evaluation.reliability import EDGES, histogram, reliability
from llm4tag.evaluation.signal_quality import COMBINED, CONSTANT, signals_alone
from llm4tag.schema import CalibrationNote, Decision, LinearEvidence, Origin, Signals, TagDecision, TagResult


def test_bins_are_of_equal_mass_but_never_part_equal_confidences() -> None:
    confidence = np.array([0.1] * 7 + [0.2, 0.3, 0.4, 0.5, 0.9])
    correct = np.array([0.0] * 6 + [1.0] * 6)
    bins = reliability(Pairs(confidence, correct, np.arange(12)), 12, bins=4)
    assert [(one.pairs, one.lowest, one.highest) for one in bins] == [(7, 0.1, 0.1), (2, 0.2, 0.3), (3, 0.4, 0.9)]
    assert bins[0].right == pytest.approx(1 / 7)
    assert bins[2].confidence == pytest.approx(0.6)
    interval = bins[0].interval
    assert interval is not None
    assert interval[0] <= bins[0].right < interval[1]
    assert bins[2].interval == (1.0, 1.0)
    counts = histogram(Pairs(np.array([0.0, 0.1, 1.0]), np.zeros(3), np.zeros(3, dtype=int)))
    assert len(counts) == len(EDGES) - 1
    assert (counts[0], counts[-1], sum(counts)) == (1, 1, 3)


def results(count: int = 40, seed: int = 0) -> tuple[list[TagResult], list[Document]]:
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
        documents.append(document_of(made[-1], {str(place) for place in np.flatnonzero(truth)} | {"missed"}))
    return made, documents


def test_signals_alone_are_measured_on_documents_they_were_not_fitted_on() -> None:
    made, documents = results()
    heard: list[int] = []
    rows = signals_alone(made, documents, heard.append)
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
    assert found["agreement"].there == 0.5
    # Noise fitted on its own documents would beat the constant.
    assert (noise.metrics["log_loss"] or 0) >= (constant.metrics["log_loss"] or 0)
    assert (recall.metrics["log_loss"] or 9) < 0.8 * (constant.metrics["log_loss"] or 0)
    assert found["recall"].as_it_stands == found[COMBINED].as_it_stands
    assert found[COMBINED].mapped == found[COMBINED].as_it_stands
    assert found["linear"].as_it_stands is None
    assert found["linear"].mapped is not None
    assert found["linear"].mapped.metrics["auroc"] == 1


def test_one_document_gives_nothing_to_fit_on() -> None:
    made, documents = results(1)
    found = {one.name: one for one in signals_alone(made, documents)}
    assert found["recall"].mapped is None
    assert found["recall"].as_it_stands is not None
