"""The fit of a calibrator on results for labelled contents, measured on contents that it has not seen."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from llm4tag.calibration.calibrator import Calibrator
from llm4tag.calibration.columns import LLM_SIGNALS, SIGNALS, columns_of_signal
from llm4tag.calibration.guarantee import LEVEL, Trials
from llm4tag.calibration.log_odds import Floats, probabilities
from llm4tag.calibration.passport import CalibratorSource, Passport
from llm4tag.evaluation.calibration_report import (
    GUARANTEE_TARGETS,
    CalibrationReport,
    FitConditions,
    MeasuredConfidence,
    figures,
    guarantee,
)
from llm4tag.schema import TagResult, UsageError, now
from llm4tag.training.calibrator_fit import FEWEST_DOCUMENTS, cross_fitted, fit_columns, fit_scale, outer_folds
from llm4tag.training.labelled_pairs import LabelledPairs

FEWEST_RIGHT = 10
"""The number of right candidates, and of wrong ones, that a fit needs."""


def labelled_pairs(
    results: Sequence[TagResult], gold: Mapping[str, frozenset[str]]
) -> tuple[list[TagResult], LabelledPairs]:
    """Return the results that are not degraded, in the order of their ids, and their candidates as numbers.

    Raises:
        UsageError: there are too few results or candidates to fit on.
    """
    whole = sorted((one for one in results if one.degraded is None), key=lambda one: one.id)
    if len(whole) < FEWEST_DOCUMENTS:
        raise UsageError(
            f"{len(whole)} labelled documents have a whole result, at least {FEWEST_DOCUMENTS} are needed",
            remedy="label more, or repair what degraded the others and set {retry_degraded}",
        )
    try:
        pairs = LabelledPairs.of(whole, gold)
    except ValueError as error:
        raise UsageError(f"nothing can be fitted: {error}", remedy="{tag_contents}") from error
    right, wrong = int(pairs.right.sum()), int((~pairs.right).sum())
    if min(right, wrong) < FEWEST_RIGHT:
        raise UsageError(
            f"of {right + wrong:,} candidates {right:,} are right and {wrong:,} wrong, at least {FEWEST_RIGHT} of "
            "each are needed",
            remedy="check that the file's tags are of this vocabulary, or label more",
        )
    return whole, pairs


def fit_calibrator(
    results: Sequence[TagResult],
    gold: Mapping[str, frozenset[str]],
    made: FitConditions,
    *,
    source: CalibratorSource = "labels",
    level: float = LEVEL,
    targets: Sequence[float] = GUARANTEE_TARGETS,
    seed: int = 0,
    compare: bool = True,
    done: Callable[[int], None] | None = None,
) -> tuple[Calibrator, CalibrationReport]:
    """Fit on results that no calibrator touched; every figure is of documents that the fit behind it has not seen.

    Args:
        results: the results to fit on; degraded ones are left out.
        gold: the gold tags of each result, by content id.
        made: the conditions under which the results were made.
        source: where the gold tags are from.
        level: the confidence of the guarantees, from 0 to 1.
        targets: the shares of wrong tags for which the guarantee is reported.
        seed: of the folds.
        compare: whether the report also measures recall as it is, each signal by itself, and a constant.
        done: called with 1 after each of the ``fits_of`` fits.

    Raises:
        UsageError: there are too few results or candidates to fit on.
    """
    whole, pairs = labelled_pairs(results, gold)
    fit = fit_scale(pairs, seed)
    if done is not None:
        done(1)
    logits, combined = cross_fitted(pairs, lambda some: fit_scale(some, seed).scale, seed, done)
    measured = (
        MeasuredConfidence(
            name="calibrated", held_out=True, metrics=figures(whole, gold, probabilities(logits), combined)
        ),
        *(_baselines(whole, gold, pairs, seed) if compare else ()),
    )
    calibrator = Calibrator(
        passport=Passport(
            time=now(),
            source=source,
            conditions=dict(made.conditions),
            tagged_contents=made.tagged_contents,
            depth=made.depth,
            signals=fit.scale.combination.columns,
            method=fit.method,
            documents=len(whole),
            pairs=len(pairs.right),
            right=int(pairs.right.sum()),
            level=level,
            metrics=measured[0].metrics,
        ),
        scale=fit.scale,
        trials=Trials(probabilities(logits), pairs.right, pairs.document, len(whole)),
    )
    smallest = calibrator.smallest_target()
    rights = sum(len(gold[one.id]) for one in whole)
    return calibrator, CalibrationReport(
        calibrator=calibrator.passport.id,
        documents=len(whole),
        pairs=len(pairs.right),
        right=int(pairs.right.sum()),
        method=fit.method,
        signals=fit.scale.combination.columns,
        level=level,
        measured=measured,
        guarantees=tuple(guarantee(one, calibrator.threshold(one), rights) for one in targets),
        smallest_target=None if smallest is None else smallest.target,
        left_out=len(results) - len(whole),
        losses=fit.losses,
        settings=dict(made.settings),
        sample=None if made.sample is None else dict(made.sample),
    )


def fits_of(documents: int) -> int:
    """Return the number of fits that ``fit_calibrator`` makes for that number of documents."""
    return outer_folds(documents) + 1


def _baselines(
    results: Sequence[TagResult], gold: Mapping[str, frozenset[str]], pairs: LabelledPairs, seed: int
) -> list[MeasuredConfidence]:
    """Measure recall and the weighted confidence without a fit, a fit of each signal by itself, and a constant."""
    signals = [tag.signals for one in results for tag in one.tags]
    weighed = np.array([tag.confidence for one in results for tag in one.tags])
    recall = np.array([one.recall or 0.0 for one in signals])

    def named(name: str, confidences: Floats, ties: Floats, held_out: bool) -> MeasuredConfidence:
        return MeasuredConfidence(name=name, held_out=held_out, metrics=figures(results, gold, confidences, ties))

    found = [named("recall as is", recall, recall, held_out=False)]
    if any(one.of_llm for one in signals):
        found.append(named("fixed weights", weighed, weighed, held_out=False))
    present = [name for name in LLM_SIGNALS if any(getattr(one, name) is not None for one in signals)]
    for name in [SIGNALS[0], *present]:
        logits, _ = cross_fitted(pairs, partial(fit_columns, names=columns_of_signal(name)), seed)
        found.append(named(f"{name} alone", probabilities(logits), recall, held_out=True))
    logits, _ = cross_fitted(pairs, partial(fit_columns, names=()), seed)
    return [*found, named("constant", probabilities(logits), recall, held_out=True)]
