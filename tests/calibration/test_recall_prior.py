"""The prior of recall: its weights at each size of history, and its file."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm4tag.calibration.columns import FUSION_COLUMNS
from llm4tag.calibration.log_odds import Floats
from llm4tag.calibration.recall_prior import GROUPS, GroupPrior, PriorFile, RecallPrior, shipped_prior
from tests.fakes.priors import COLUMNS, SIZES, prior


def growing(*levels: float) -> RecallPrior:
    """Return a prior whose weights are all the same at a size: one of the levels for each."""
    start = prior()
    weights = np.ones_like(start.weights) * np.array(levels)[None, :, None]
    return RecallPrior(start.id, start.sizes, start.means, start.scales, weights)


def level(one: RecallPrior, contents: int) -> float:
    """Return the weight that all columns have."""
    found = one.weights_at(contents)
    assert found.shape == (GROUPS, COLUMNS + 1)
    assert np.ptp(found) == pytest.approx(0.0)
    return float(found[0, 0])


def test_at_a_size_of_its_own_it_has_the_weights_of_that_size() -> None:
    one = growing(1.0, -2.0, 5.0)
    assert [level(one, size) for size in SIZES] == pytest.approx([1.0, -2.0, 5.0])


def test_between_two_sizes_weights_are_mixed_by_the_logarithm_of_the_contents() -> None:
    one = growing(0.0, 1.0, 3.0)
    share = np.log1p(3) / np.log1p(10)
    assert level(one, 3) == pytest.approx(share)
    assert level(one, 99) == pytest.approx(1.0 + 2.0 * np.log(100 / 11) / np.log(1001 / 11))


@given(st.integers(1000, 10_000_000))
def test_beyond_the_last_size_nothing_changes(contents: int) -> None:
    assert level(growing(0.0, 1.0, 3.0), contents) == pytest.approx(3.0)


@given(st.integers(0, 2000))
def test_no_content_makes_a_step(contents: int) -> None:
    one = growing(0.0, 1.0, -3.0)
    step = abs(level(one, contents + 1) - level(one, contents))
    assert step <= 1.0 / (contents + 1), "each content moves weights less than the one before"


def test_numbers_are_standardised_and_none_is_taken_for_more_than_three_deviations() -> None:
    start = prior()
    means, scales = start.means.copy(), start.scales.copy()
    means[1, 0], scales[1, 0] = 10.0, 2.0
    one = RecallPrior(start.id, start.sizes, means, scales, start.weights)
    rows = np.zeros((4, COLUMNS))
    rows[:, 0] = [10.0, 12.0, 1000.0, -1000.0]
    found = one.standardised(rows, 1)
    assert found.shape == (4, COLUMNS + 1)
    assert found[:, 0].tolist() == [0.0, 1.0, 3.0, -3.0]
    assert found[:, -1].tolist() == [1.0] * 4, "the column of the intercept"
    assert one.standardised(rows, 0)[:2, 0].tolist() == [3.0, 3.0], "each group has means of its own"


def test_each_candidate_is_weighed_by_its_group_and_starts_from_its_offset() -> None:
    one = prior()
    weights: Floats = np.zeros((GROUPS, COLUMNS + 1))
    weights[:, 0], weights[:, -1] = [1.0, 10.0, 100.0], [0.1, 0.2, 0.3]
    rows = np.ones((4, COLUMNS))
    found = one.logits(rows, np.array([2, 0, 1, 0]), np.array([0.0, 0.0, 0.0, 5.0]), weights)
    assert found.tolist() == pytest.approx([100.3, 1.1, 10.2, 6.1])
    none = one.logits(np.zeros((0, COLUMNS)), np.zeros(0, dtype=np.int64), np.zeros(0), weights)
    assert none.shape == (0,)


def file_of(**fields: object) -> PriorFile:
    def groups(weight: float) -> tuple[GroupPrior, ...]:
        row = (weight,) * (COLUMNS + 1)
        one = GroupPrior(means=(0.0,) * COLUMNS, scales=(1.0,) * COLUMNS, weights=(row,) * len(SIZES))
        return (one,) * GROUPS

    body = {"sources": (), "seed": 0, "versions": {}, "sizes": SIZES}
    return PriorFile.model_validate(body | {"with_vectors": groups(1.0), "with_words": groups(2.0)} | fields)


def test_a_file_has_a_part_for_stores_with_embeddings_and_one_for_those_without() -> None:
    vectors, words = (RecallPrior.of(file_of(), "hash", vectors=one) for one in (True, False))
    assert (vectors.id, words.id) == ("hash-vectors", "hash-words")
    assert (level(vectors, 5), level(words, 5)) == pytest.approx((1.0, 2.0))
    assert PriorFile.model_validate_json(file_of().model_dump_json()) == file_of()


@pytest.mark.parametrize("fields", [{"format": 0}, {"columns": FUSION_COLUMNS[1:]}])
def test_a_file_of_another_version_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="another version of llm4tag"):
        RecallPrior.of(file_of(**fields), "hash", vectors=True)


def test_the_prior_that_is_shipped_can_be_read() -> None:
    vectors, words = shipped_prior(vectors=True), shipped_prior(vectors=False)
    assert vectors.id != words.id
    for one in (vectors, words):
        assert one.sizes[0] == 0
        assert (np.diff(one.sizes) > 0).all()
        assert one.means.shape == one.scales.shape == (GROUPS, COLUMNS)
        assert one.weights.shape == (GROUPS, len(one.sizes), COLUMNS + 1)
        assert (one.scales > 0).all()
        assert np.isfinite(one.weights).all()
        assert np.isfinite(one.means).all()
