"""The fit of a calibrator and its held-out figures."""

import numpy as np
import pytest

from llm4tag.calibration.calibrator import Scale
from llm4tag.calibration_run import fit_calibrator
from llm4tag.evaluation.calibration_report import CalibrationReport, FitConditions
from llm4tag.schema import TagResult, UsageError
from llm4tag.training.calibrator_fit import cross_fitted, fit_columns, fit_scale, tag_offsets
from llm4tag.training.labelled_pairs import LabelledPairs
from tests.fakes.results import labelled_results

MADE = FitConditions(conditions={"model": "none"}, tagged_contents=0, depth=50, settings={})


def loss(report: CalibrationReport, name: str, metric: str = "log_loss") -> float:
    value = next(one for one in report.measured if one.name == name).metrics[metric].value
    assert value is not None
    return value


def test_fifty_documents_correct_overconfidence_and_every_signal_helps() -> None:
    results, gold = labelled_results(50, judged=True)
    calibrator, report = fit_calibrator(results, gold, MADE)
    assert {"p_yes", "p_yes asked"} <= set(calibrator.passport.signals)
    for other in ("recall as is", "recall alone", "p_yes alone", "constant"):
        assert loss(report, "calibrated") < loss(report, other) - 0.01, other
    assert loss(report, "calibrated", "ece") < loss(report, "recall as is", "ece") / 2
    assert loss(report, "calibrated", "auroc") > loss(report, "recall as is", "auroc") + 0.02
    assert (report.documents, report.pairs) == (50, 600)
    figure = calibrator.passport.metrics["log_loss"]
    assert figure.low is not None
    assert figure.low < loss(report, "calibrated") < (figure.high or 0.0)


def test_figures_are_of_documents_that_the_fit_has_not_seen() -> None:
    results, gold = labelled_results(25, seed=5)
    pairs = LabelledPairs.of(results, gold)
    seen: list[set[int]] = []

    def spy(some: LabelledPairs) -> Scale:
        seen.append(set(some.document.tolist()))
        return fit_columns(some, ("recall",))

    logits, _ = cross_fitted(pairs, spy)
    assert np.isfinite(logits).all()
    left_out = [set(range(25)) - some for some in seen]
    assert sorted(number for some in left_out for number in some) == list(range(25)), "each is left out once"


def test_a_tags_own_record_moves_it_the_more_the_more_there_is() -> None:
    results, gold = labelled_results(400, seed=2, hard_tag="t7")
    pairs = LabelledPairs.of(results, gold)
    scale = fit_scale(pairs).scale
    others = [offset for tag, offset in scale.offsets.items() if tag != "t7"]
    assert scale.offsets["t7"] < -0.7 < min(others)
    few = pairs.at(np.flatnonzero(pairs.document < 40))
    logits = scale.combination.logits(few.rows)
    assert (
        tag_offsets(pairs, scale.combination.logits(pairs.rows), 0.2)["t7"] < tag_offsets(few, logits, 0.2)["t7"]
    )


def test_what_cannot_be_fitted_on_says_so() -> None:
    results, gold = labelled_results(30)
    with pytest.raises(UsageError, match="19 labelled documents have a whole result, at least 20 are needed"):
        fit_calibrator(results[:19], gold, MADE)
    degraded = [one.model_copy(update={"degraded": "the model is down"}) for one in results[:15]]
    with pytest.raises(UsageError, match=r"15 labelled documents.*retry_degraded"):
        fit_calibrator([*degraded, *results[15:]], gold, MADE)
    with pytest.raises(UsageError, match=r"0 are right.*tags are of this vocabulary"):
        fit_calibrator(results, {one: frozenset({"of another"}) for one in gold}, MADE)
    with pytest.raises(UsageError, match="no signal of recall"):
        fit_calibrator([_without_signals(one) for one in results], gold, MADE)


def _without_signals(result: TagResult) -> TagResult:
    from llm4tag.schema import Signals

    tags = tuple(tag.model_copy(update={"signals": Signals()}) for tag in result.tags)
    return result.model_copy(update={"tags": tags})
