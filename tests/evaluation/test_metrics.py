"""Metrics against values worked out by hand and against scikit-learn."""

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss, ndcg_score, roc_auc_score

from llm4tag.evaluation import METRICS, RankedTags, intervals, measure, pairs_of, sample_ids
from llm4tag.evaluation.metrics import ConfidencePairs, auroc, ece

LABELLED_PAIRS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.500001, 0.9, 1.0]), st.booleans()), min_size=2, max_size=60
)


def document(ranked: str, gold: str, confidences: list[float] | None = None) -> RankedTags:
    if confidences is None:
        confidences = [round(1 - place / 100, 4) for place in range(len(ranked))]
    return RankedTags(tuple(ranked), tuple(confidences), frozenset(gold))


def pairs(rows: list[tuple[float, bool]]) -> ConfidencePairs:
    rows = sorted(rows, key=lambda row: row[0])
    return ConfidencePairs(
        np.array([row[0] for row in rows]),
        np.array([float(row[1]) for row in rows]),
        np.zeros(len(rows), dtype=np.int64),
    )


def test_ranking_metrics_by_hand() -> None:
    found = measure([document("abcdefghijkl", "adkz"), document("xyz", "z")])
    # First: hits at 1, 4, 11 of four gold; second: hit at 3 of one gold.
    first_dcg = 1 + 1 / math.log2(5)
    first_ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4) + 1 / math.log2(5)
    assert found["p@1"] == pytest.approx(1 / 2)
    assert found["f1@5"] == pytest.approx((2 * 2 / 9 + 2 * 1 / 6) / 2)
    assert found["ndcg@10"] == pytest.approx((first_dcg / first_ideal + 1 / math.log2(4)) / 2)
    assert found["rp@5"] == pytest.approx((2 / 4 + 1) / 2)
    assert found["rp@10"] == pytest.approx((2 / 4 + 1) / 2)
    assert found["recall@10"] == pytest.approx((2 / 4 + 1) / 2)
    assert found["recall@50"] == pytest.approx((3 / 4 + 1) / 2)
    assert tuple(found) == METRICS


def test_more_gold_than_depth() -> None:
    found = measure([document("abcdefgh", "abcdefgh")])
    assert found["rp@5"] == 1
    assert found["f1@5"] == pytest.approx(2 * 5 / 13)
    assert found["ndcg@10"] == pytest.approx(1)


def test_no_candidates_at_all() -> None:
    found = measure([document("", "a")])
    assert [found[name] for name in ("p@1", "f1@5", "ndcg@10", "rp@5", "recall@50")] == [0] * 5
    assert [found[name] for name in ("auroc", "log_loss", "brier", "ece")] == [None] * 4
    assert intervals([document("", "a")], resamples=5)["auroc"] is None


def test_ndcg_agrees_with_scikit_learn() -> None:
    random = np.random.default_rng(1)
    for _ in range(20):
        labels = random.integers(0, 2, 30)
        labels[0] = 1
        scores = np.sort(random.random(30))[::-1]
        names = [str(place) for place in range(30)]
        one = RankedTags(tuple(names), tuple(scores), frozenset(np.array(names)[labels == 1]))
        assert measure([one])["ndcg@10"] == pytest.approx(ndcg_score([labels], [scores], k=10))


@given(LABELLED_PAIRS)
def test_auroc_agrees_with_scikit_learn(rows: list[tuple[float, bool]]) -> None:
    labels = [row[1] for row in rows]
    if len(set(labels)) == 1:
        assert auroc(pairs(rows)) is None
    else:
        assert auroc(pairs(rows)) == pytest.approx(roc_auc_score(labels, [row[0] for row in rows]))


def test_log_loss_and_brier_agree_with_scikit_learn() -> None:
    one = document("abcd", "ad", [1.0, 0.7, 0.2, 0.0])
    labels, scores = [1, 0, 0, 1], np.array([1.0, 0.7, 0.2, 0.0])
    found = measure([one])
    assert found["brier"] == pytest.approx(brier_score_loss(labels, scores))
    assert found["log_loss"] == pytest.approx(log_loss(labels, np.clip(scores, 1e-6, 1 - 1e-6)))


@given(LABELLED_PAIRS, st.integers(1, 20))
def test_ece_agrees_with_a_naive_reference(rows: list[tuple[float, bool]], bins: int) -> None:
    given_pairs = pairs(rows)
    ties = {one: given_pairs.correct[given_pairs.confidence == one].mean() for one in given_pairs.confidence}
    size, larger = divmod(len(rows), bins)
    start, expected = 0, 0.0
    for number in range(bins):
        stop = start + size + (number < larger)
        if stop > start:
            expected += abs(sum(one - ties[one] for one in given_pairs.confidence[start:stop])) / len(rows)
        start = stop
    assert ece(given_pairs, bins) == pytest.approx(expected, abs=1e-12)


def test_pairs_are_the_first_forty_candidates() -> None:
    names = [f"t{place}" for place in range(60)]
    confidences = [1 - place / 60 for place in range(60)]
    found = pairs_of([RankedTags(tuple(names), tuple(confidences), frozenset({"t0", "t59", "never recalled"}))])
    assert len(found) == 40
    assert found.prevalence == pytest.approx(1 / 40)
    assert found.confidence.min() == pytest.approx(confidences[39])


def test_intervals_hold_the_value_and_are_the_same_each_time() -> None:
    random = np.random.default_rng(3)
    documents = [
        document("abcdefghij", "".join(random.choice(list("abcdefghijz"), 3, replace=False))) for _ in range(80)
    ]
    found = intervals(documents, resamples=200)
    assert found == intervals(documents, resamples=200)
    for name, value in measure(documents).items():
        interval = found[name]
        assert value is not None
        assert interval is not None
        assert interval[0] < interval[1]
        if name != "ece":  # resampling adds noise, which ECE counts as error: its interval lies above
            assert interval[0] <= value <= interval[1]


def test_one_document_drawn_alone_measures_as_itself() -> None:
    documents = [document("abc", "a"), document("abc", "c")]
    resampled = pairs_of(documents).repeated(np.array([0, 2]))
    assert auroc(resampled) == auroc(pairs_of(documents[1:])) == 0


def test_sample_is_the_first_by_sha256() -> None:
    ids = [f"doc{number}" for number in range(50)]
    ordered = sorted((hashlib.sha256(f"7:{one}".encode()).hexdigest(), one) for one in ids)
    assert sample_ids(ids, 5, 7) == {one for _, one in ordered[:5]}
    assert sample_ids(reversed(ids), 5, 7) == sample_ids(ids, 5, 7)
    assert sample_ids(ids, 5, 8) != sample_ids(ids, 5, 7)
    assert sample_ids(ids, None) == sample_ids(ids, 99) == set(ids)
