"""The calibrator: order, depth, missing signals, conditions, and how it is saved."""

from typing import get_args

import numpy as np
import pytest

from llm4tag.calibration.calibrator import Calibrator, MapKind
from llm4tag.calibration.columns import CALIBRATOR_COLUMNS
from llm4tag.calibration.confidence import ScoredCandidate, calibrate_all, missing_signal
from llm4tag.calibration.log_odds import probabilities
from llm4tag.calibration.signals import calibrator_rows
from llm4tag.schema import Signals, StoreError
from llm4tag.training.calibrator_fit import fit_map
from tests.fakes.calibrators import calibrator, scored


def test_it_orders_and_a_tags_own_record_counts() -> None:
    found = calibrate_all([scored("a", 0.9), scored("b", 0.6), scored("up", 0.5)], calibrator())
    assert [item.tag for item in found] == ["up", "a", "b"]
    assert found[0].confidence == pytest.approx(1 / (1 + np.exp(-1.5)))
    assert found[1].confidence == pytest.approx(1 / (1 + np.exp(-(0.5 * np.log(9) - 0.5))))
    assert [item.raw for item in found] == [0.5, 0.9, 0.6]
    assert calibrate_all([], calibrator()) == []


def test_candidates_below_its_depth_stay_estimated_and_last() -> None:
    found = calibrate_all([scored("a", 0.9), scored("b", 0.8), scored("up", 0.7)], calibrator(depth=2))
    assert [(item.tag, item.calibrated) for item in found] == [("a", True), ("b", True), ("up", False)]
    assert found[2].confidence <= found[1].confidence


def test_a_weighed_signal_that_no_candidate_has_is_named() -> None:
    weighs = calibrator(columns=("recall", "p_yes centred", "p_yes asked"))
    assert missing_signal([scored("a", 0.9)], weighs) == "p_yes"
    assert missing_signal([scored("a", 0.9), scored("b", 0.8, p_yes=0.3)], weighs) == ""
    assert missing_signal([scored("a", 0.9)], calibrator()) == ""


def test_missing_signals_are_no_zeros() -> None:
    rows = calibrator_rows([scored("a", 0.9, p_yes=0.5), scored("b", 0.5), scored("c", 0.2, p_yes=0.1)])
    asked, logits = rows[:, CALIBRATOR_COLUMNS.index("p_yes asked")], rows[:, CALIBRATOR_COLUMNS.index("p_yes")]
    assert asked.tolist() == [1, 0, 1]
    assert logits[0] == logits[1] == 0.0
    assert rows[:, CALIBRATOR_COLUMNS.index("p_yes centred")].sum() == pytest.approx(0.0)
    assert not rows[:, CALIBRATOR_COLUMNS.index("rating asked")].any()
    with pytest.raises(ValueError, match="no signal of recall"):
        calibrator_rows([ScoredCandidate(tag="a", confidence=0.5, raw=0.5, signals=Signals(), evidence=())])


@pytest.mark.parametrize("kind", get_args(MapKind))
def test_maps_keep_the_order_and_repair_overconfidence(kind: MapKind) -> None:
    random = np.random.default_rng(0)
    truth = random.normal(-1.0, 2.0, 4000)
    right = random.random(4000) < probabilities(truth)
    fitted = fit_map(kind, 3.0 * truth, right)
    assert fitted.kind == kind
    grid = np.linspace(-8.0, 8.0, 50)
    mapped = fitted.logits(3.0 * grid)
    assert (np.diff(mapped) >= -1e-9).all()
    if kind != "none":
        found = probabilities(fitted.logits(3.0 * truth))
        assert np.abs(found - probabilities(truth)).mean() < 0.03
    assert fit_map(kind, truth, np.zeros(4000, dtype=bool)).kind == "none", "nothing to tell apart"


def test_bytes_there_and_back() -> None:
    made = calibrator()
    again = Calibrator.from_bytes(made.to_bytes())
    assert again.passport == made.passport
    rows = calibrator_rows([scored("up", 0.9), scored("b", 0.6)])
    assert again.scale.logits(rows, ["up", "b"]).tolist() == made.scale.logits(rows, ["up", "b"]).tolist()
    assert again.threshold(0.3) == made.threshold(0.3) is not None
    with pytest.raises(StoreError, match="calibrate on labelled contents"):
        Calibrator.from_bytes(b"something else")


def test_the_passport_names_what_differs() -> None:
    passport = calibrator().passport
    same = {"model": "none", "vocabulary": "v1"}
    assert passport.difference(same, 100) == ""
    assert passport.difference(same, 109) == "", "history may grow a little"
    assert passport.difference(same, 112) == "tagged contents (then 100, now 112)"
    difference = passport.difference({"model": "m", "vocabulary": "v1", "prompts": "p"}, 100)
    assert difference == "model (then none, now m), prompts (then none, now p)"
