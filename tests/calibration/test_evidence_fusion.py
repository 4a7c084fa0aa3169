"""The fusion of evidence: a prior, what moves it, and its bytes."""

from dataclasses import replace

import numpy as np
import pytest

from llm4tag.calibration.archive import packed
from llm4tag.calibration.columns import FUSION_COLUMNS
from llm4tag.calibration.evidence_fusion import EvidenceFusion
from llm4tag.calibration.history_facts import HistoryFacts
from llm4tag.calibration.log_odds import Floats
from llm4tag.calibration.recall_prior import GROUPS
from llm4tag.schema import C2C2TEvidence, Candidate, LinearEvidence, StoreError
from tests.fakes.priors import COLUMNS, moved, prior

FACTS = HistoryFacts(contents=200, counts={"a": 90, "b": 10}, scored=frozenset({"a"}))
PRIOR = prior(neighbours=2.0)


def candidate(tag: str, raw: float) -> Candidate:
    voted = C2C2TEvidence(score=raw, support=1, human_support=1, looked_at=9, raw=raw)
    return Candidate(tag=tag, score=0.0, evidence=(voted,))


def weights_of(group: int, **columns: float) -> Floats:
    """Return what moves a prior: weights of columns of one group."""
    found = np.zeros((GROUPS, COLUMNS + 1))
    for name, weight in columns.items():
        found[group, FUSION_COLUMNS.index(name)] = weight
    return found


def test_probabilities_are_the_priors_where_nothing_moved_it() -> None:
    found = EvidenceFusion(PRIOR).probabilities([candidate("a", 0.9), candidate("b", 0.1)], FACTS, 5)
    logits = np.log(FACTS.tags_a_content) - 3.0 + 2.0 * np.array([0.9, 0.1])
    assert found == pytest.approx((1 / (1 + np.exp(-logits))).tolist())
    assert EvidenceFusion(PRIOR).probabilities([], FACTS, 5) == []


def test_a_tag_that_history_lacks_starts_lower() -> None:
    known, new = EvidenceFusion(PRIOR).probabilities([candidate("b", 0.5), candidate("new", 0.5)], FACTS, 5)
    assert new / (1 - new) == pytest.approx(FACTS.novelty * known / (1 - known))


def test_what_moves_the_prior_is_added_to_the_weights_of_its_group_alone() -> None:
    fusion = moved(PRIOR, weights_of(1, neighbours=3.0))
    some = [candidate("a", 0.5), candidate("b", 0.5), candidate("new", 0.5)]
    before, after = (one.probabilities(some, FACTS, 5) for one in (EvidenceFusion(PRIOR), fusion))
    assert after[1] > before[1]
    assert (after[0], after[2]) == (before[0], before[2])
    assert np.array_equal(moved(PRIOR).weights(200), PRIOR.weights_at(200))


def test_every_probability_is_a_number_whatever_was_found() -> None:
    odd = Candidate(tag="a", score=0.0, evidence=(LinearEvidence(score=1.0, raw=1e12, company=1e12, wide=1e12),))
    for facts in (FACTS, HistoryFacts()):
        found = EvidenceFusion(prior(linear=50.0)).probabilities([odd, candidate("b", 0.1)], facts, 0)
        assert all(0.0 < one < 1.0 for one in found)


def test_its_bytes_give_it_back() -> None:
    fusion = moved(PRIOR, weights_of(2, verbatim=0.5))
    again = EvidenceFusion.from_bytes(fusion.to_bytes(), PRIOR)
    assert again is not None
    assert again.note == fusion.note
    assert again.moved is not None
    assert np.array_equal(again.moved, weights_of(2, verbatim=0.5))
    assert again.prior is PRIOR


def test_the_prior_as_it_is_has_no_bytes() -> None:
    with pytest.raises(ValueError, match="not saved"):
        EvidenceFusion(PRIOR).to_bytes()


def numbers_with(value: float) -> Floats:
    found = np.zeros((GROUPS, COLUMNS + 1))
    found[0, 0] = value
    return found


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"nothing", "cannot be read"),
        (moved(PRIOR, np.zeros((GROUPS, COLUMNS))).to_bytes(), "moved has the shape"),
        (moved(PRIOR, np.zeros((GROUPS - 1, COLUMNS + 1))).to_bytes(), "moved has the shape"),
        (moved(PRIOR, numbers_with(np.nan)).to_bytes(), "no finite numbers"),
        (moved(PRIOR, numbers_with(np.inf)).to_bytes(), "no finite numbers"),
    ],
    ids=["no archive", "a column less", "a group less", "nan", "infinite"],
)
def test_bytes_that_cannot_be_used_are_refused_with_what_to_do(data: bytes, words: str) -> None:
    with pytest.raises(StoreError, match=rf"fusion of evidence.*{words}.*fit recall on the store's history"):
        EvidenceFusion.from_bytes(data, PRIOR)


def test_what_moved_another_prior_is_not_used() -> None:
    assert EvidenceFusion.from_bytes(moved(replace(PRIOR, id="another")).to_bytes(), PRIOR) is None


@pytest.mark.parametrize("fields", [{"format": 2}, {"more": 1}])
def test_bytes_of_another_version_are_refused(fields: dict[str, object]) -> None:
    note = moved(PRIOR).note
    assert note is not None
    data = packed(note.model_dump(mode="json") | fields, {"moved": np.zeros((GROUPS, COLUMNS + 1))})
    with pytest.raises(StoreError, match="fit recall on the store's history"):
        EvidenceFusion.from_bytes(data, PRIOR)
    with pytest.raises(StoreError, match="moved"):
        EvidenceFusion.from_bytes(packed(note.model_dump(mode="json"), {}), PRIOR)
