"""How much can be accepted without review: compared with naive references."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm4tag.evaluation.automation import TARGETS, automation, risk_curve
from llm4tag.evaluation.metrics import RankedTags

RANKED = st.lists(
    st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.9, 0.99]), st.booleans()), max_size=30),
    min_size=1,
    max_size=3,
)


def document(rows: list[tuple[float, bool]], missed: int = 1) -> RankedTags:
    """Make a document of confidences and whether each is right, with gold tags that were never recalled."""
    rows = sorted(rows, key=lambda row: -row[0])
    right = {f"t{place}" for place, row in enumerate(rows) if row[1]}
    return RankedTags(
        tuple(f"t{place}" for place in range(len(rows))),
        tuple(row[0] for row in rows),
        frozenset(right | {f"missed{number}" for number in range(missed)}),
    )


@given(RANKED)
def test_hindsight_is_the_best_of_all_thresholds(rows: list[list[tuple[float, bool]]]) -> None:
    documents = [document(one) for one in rows]
    pairs = [row for one in rows for row in one]
    gold = sum(len(one.gold) for one in documents)
    found = automation(documents, [[False] * len(one) for one in rows], resamples=2)
    for target, at in zip(TARGETS, found.at_errors, strict=True):
        shares = [0.0]
        for threshold in {row[0] for row in pairs}:
            taken = [row[1] for row in pairs if row[0] >= threshold]
            if 1 - sum(taken) / len(taken) <= target:
                shares.append(sum(taken) / gold)
        assert at.automated == pytest.approx(max(shares))
        if at.threshold is not None:
            taken = [row[1] for row in pairs if row[0] >= at.threshold]
            assert at.accepted == len(taken)
            assert at.error == pytest.approx(1 - sum(taken) / len(taken))


def test_what_was_accepted_is_measured_whatever_its_confidence() -> None:
    rows = [[(0.9, True), (0.8, False), (0.1, True)], [(0.7, False)]]
    found = automation([document(one) for one in rows], [[True, False, True], [True]], resamples=50).decided
    assert (found.accepted, found.wrong) == (3, 1)
    assert found.error == pytest.approx(1 / 3)
    assert found.automated == pytest.approx(2 / 4)
    none = automation([document(one) for one in rows], [[False] * 3, [False]], resamples=5).decided
    assert (none.error, none.error_interval, none.automated) == (None, None, 0)


def test_intervals_and_band_hold_the_curve() -> None:
    random = np.random.default_rng(0)
    documents = [document([(p, bool(random.random() < p)) for p in random.random(20)]) for _ in range(60)]
    accepted = [[confidence > 0.8 for confidence in one.confidences] for one in documents]
    found = automation(documents, accepted, resamples=200)
    for one in found.at_errors:
        assert one.automated_interval is not None
        assert one.automated_interval[0] < one.automated < one.automated_interval[1]
    error, interval = found.decided.error, found.decided.error_interval
    assert error is not None
    assert interval is not None
    assert error == pytest.approx(0.1, abs=0.05)
    assert interval[0] < error < interval[1]
    curve = risk_curve(documents, resamples=200)
    assert list(curve.automated) == sorted(curve.automated)
    gold = sum(len(one.gold) for one in documents)
    assert curve.automated[-1] == pytest.approx(1 - len(documents) / gold)
    middle = np.interp(curve.grid, curve.automated, curve.error)
    inside = (np.array(curve.low) <= middle) & (middle <= np.array(curve.high))
    assert inside.mean() > 0.9
