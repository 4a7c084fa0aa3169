"""The guarantee: thresholds keep the share of wrong tags within a target, and are not given without support."""

import numpy as np
import pytest

from llm4tag.calibration.guarantee import Trials, p_value, smallest_target, threshold_for
from tests.fakes.calibrators import drawn


@pytest.mark.parametrize(("target", "together"), [(0.1, 0.0), (0.2, 0.5)])
def test_the_true_share_of_wrong_tags_stays_within_the_target(target: float, together: float) -> None:
    population = drawn(30_000, 1, together)
    broken, automated = 0, 0
    for seed in range(60):
        found = threshold_for(drawn(150, 100 + seed, together), target, level=0.9)
        if found is not None:
            taken = population.confidence >= found.confidence
            broken += (~population.right[taken]).mean() > target
            automated += 1
    # 6 of 60 are allowed on average; more than 12 come with a chance below one in a hundred then.
    assert broken <= 12
    assert automated >= 54, "and it is no guarantee by accepting nothing"


def test_a_laxer_target_accepts_more_and_the_best_threshold_stays_within_it() -> None:
    trials = drawn(300, 3, 0.2)
    found = [threshold_for(trials, target) for target in (0.05, 0.1, 0.2, 0.3)]
    accepted = [0 if one is None else one.accepted for one in found]
    assert accepted == sorted(accepted)
    assert accepted[1] > 0
    for one in found:
        if one is not None:
            taken = trials.confidence >= one.confidence
            assert (one.accepted, one.wrong) == (taken.sum(), (~trials.right[taken]).sum())
            assert one.wrong / one.accepted < one.target


def test_what_the_documents_do_not_support_is_not_promised() -> None:
    trials = drawn(60, 4, 0.2)
    least = smallest_target(trials)
    assert least is not None
    assert threshold_for(trials, least.target) == least
    assert threshold_for(trials, least.target - 0.005) is None
    assert threshold_for(trials, 0.001) is None
    more = smallest_target(drawn(600, 4, 0.2))
    assert more is not None
    assert more.target < least.target
    nothing = Trials(np.zeros(0), np.zeros(0, dtype=bool), np.zeros(0, dtype=np.int64), 20)
    assert threshold_for(nothing, 0.5) is None
    assert smallest_target(nothing) is None


def test_few_tags_without_an_error_prove_little_and_errors_that_come_together_less() -> None:
    count = np.repeat([1.0, 0.0], [10, 290])
    assert p_value(count, np.zeros(300), 0.05) > 0.5, "ten right ones are no proof of 5 %"
    assert p_value(np.full(300, 5.0), np.zeros(300), 0.05) < 0.001
    count, apart, together = np.full(60, 5.0), np.zeros(60), np.zeros(60)
    apart[:20] = 1
    together[:4] = 5
    assert p_value(count, apart, 0.1) < p_value(count, together, 0.1)
    assert p_value(np.zeros(5), np.zeros(5), 0.5) == 1.0
