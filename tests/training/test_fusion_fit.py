"""How history moves a prior: the more of it, the farther; and whether that is better on documents held out."""

from dataclasses import replace

import numpy as np
import pytest

from llm4tag.calibration.columns import FUSION_COLUMNS
from llm4tag.calibration.history_facts import HistoryFacts
from llm4tag.calibration.log_odds import Floats, probabilities
from llm4tag.calibration.recall_prior import GROUPS, RecallPrior
from llm4tag.schema import C2C2TEvidence, C2TEvidence, Candidate
from llm4tag.training.evidence_pairs import EvidencePairs
from llm4tag.training.fusion_fit import fit_centred, held_out_logits, losses_of, moved_weights
from tests.fakes.priors import COLUMNS, drawn_pairs, prior

NEIGHBOURS = FUSION_COLUMNS.index("neighbours")
WORDS = FUSION_COLUMNS.index("own_words")
CONTENTS = 500


def truth(**weights: float) -> Floats:
    """Return weights that decide which tags are right."""
    return np.asarray(prior(-2.0, **weights).weights[0, 0])


def test_a_few_documents_move_little_and_many_move_more() -> None:
    start = prior(-2.0)
    moves = [
        moved_weights(drawn_pairs(count, truth(neighbours=2.0)), start, CONTENTS)[1] for count in (2, 20, 500)
    ]
    few, some, many = (abs(one[NEIGHBOURS]) for one in moves)
    assert few < 0.05 < some < 1.0 < many < 2.0
    assert np.abs(moves[0][:-1]).max() < 0.05, "no column says much yet"
    assert many > 5 * np.abs(np.delete(moves[2], [NEIGHBOURS, COLUMNS])).max(), "only this one decides"


def test_how_many_tags_are_right_is_learned_from_few_documents() -> None:
    start, pairs = prior(-2.0), drawn_pairs(20, truth() + np.eye(COLUMNS + 1)[-1] * 2.0)
    found = moved_weights(pairs, start, CONTENTS)[1]
    assert found[-1] == pytest.approx(2.0, abs=0.5)
    assert np.abs(found[:-1]).max() < 0.2


def test_where_the_prior_is_right_it_stays() -> None:
    weights = {"neighbours": 2.0, "own_words": -1.0}
    found = moved_weights(drawn_pairs(500, truth(**weights)), prior(-2.0, **weights), CONTENTS)
    assert np.abs(found).max() < 0.2


def test_a_group_without_pairs_stays_and_each_moves_by_its_own() -> None:
    start = prior(-2.0)
    one = drawn_pairs(200, truth(neighbours=2.0), group=0)
    assert not moved_weights(one, start, CONTENTS)[1:].any()
    both = EvidencePairs.joined([one, drawn_pairs(200, truth(own_words=2.0), group=2, seed=1)])
    found = moved_weights(both, start, CONTENTS)
    assert not found[1].any()
    assert found[0, NEIGHBOURS] > 5 * abs(found[0, WORDS])
    assert found[2, WORDS] > 5 * abs(found[2, NEIGHBOURS])
    nothing = moved_weights(one.at(np.zeros(len(one.right), dtype=bool)), start, CONTENTS)
    assert nothing.shape == (GROUPS, COLUMNS + 1)
    assert not nothing.any()


@pytest.mark.parametrize("answer", [True, False])
def test_answers_that_are_all_alike_give_finite_weights(answer: bool) -> None:
    pairs = drawn_pairs(50, truth())
    found = moved_weights(replace(pairs, right=np.full(len(pairs.right), answer)), prior(-2.0), CONTENTS)
    assert np.isfinite(found).all()
    assert (found[1, -1] > 0) == answer


def test_offsets_are_taken_into_account() -> None:
    pairs = drawn_pairs(200, truth())
    shifted = replace(pairs, offsets=np.full(len(pairs.right), 1.5))
    plain, less = (moved_weights(one, prior(-2.0), CONTENTS)[1, -1] for one in (pairs, shifted))
    assert less == pytest.approx(plain - 1.5, abs=0.05)


def test_a_fit_is_where_the_likelihood_less_the_penalty_is_flat() -> None:
    random = np.random.default_rng(0)
    rows, offsets = random.normal(size=(300, 4)), random.normal(size=300)
    right, penalty = random.random(300) < 0.3, np.array([1.0, 10.0, 100.0, 1e9])
    found = fit_centred(rows, right, offsets, penalty)
    slope = rows.T @ (probabilities(offsets + rows @ found) - right) + penalty * found
    assert slope[:3] == pytest.approx(np.zeros(3), abs=0.05)
    assert found[3] == pytest.approx(0.0, abs=1e-4), "what is penalised so does not move"
    assert found.shape == (4,)


def test_a_row_that_weighs_two_counts_like_two_rows() -> None:
    random = np.random.default_rng(1)
    rows, right, weights = random.normal(size=(50, 3)), random.random(50) < 0.5, np.repeat([2.0, 1.0], 25)
    penalty, nothing = np.ones(3), np.zeros(50)
    weighed = fit_centred(rows, right, nothing, penalty, weights)
    twice = np.concatenate([np.arange(50), np.arange(25)])
    assert weighed == pytest.approx(fit_centred(rows[twice], right[twice], np.zeros(75), penalty), abs=1e-3)


def held_out_losses(pairs: EvidencePairs, start: RecallPrior) -> tuple[Floats, Floats]:
    """Return the losses by a fit on other documents, and by the prior."""
    fitted, as_it_is = held_out_logits(pairs, start, CONTENTS, 0)
    return losses_of(fitted, pairs.right), losses_of(as_it_is, pairs.right)


def test_on_documents_held_out_a_fit_is_better_than_a_prior_that_knows_nothing() -> None:
    pairs = drawn_pairs(200, truth(neighbours=2.0))
    fitted, as_it_is = held_out_losses(pairs, prior(-2.0))
    assert fitted.shape == as_it_is.shape == pairs.right.shape
    assert fitted.mean() < as_it_is.mean() - 0.05
    expected = -np.log(np.where(pairs.right, *(1 / (1 + np.exp(sign * 2.0)) for sign in (1, -1))))
    assert as_it_is == pytest.approx(expected)
    again, _ = held_out_losses(pairs, prior(-2.0))
    assert np.array_equal(fitted, again)


def test_on_documents_held_out_a_fit_on_chance_is_worse_than_a_prior_that_is_right() -> None:
    weights = {"neighbours": 2.0, "own_words": -1.0}
    pairs = drawn_pairs(40, truth(**weights))
    fitted, as_it_is = held_out_losses(pairs, prior(-2.0, **weights))
    assert fitted.mean() > as_it_is.mean()


def test_a_document_is_never_judged_by_a_fit_on_itself() -> None:
    # Each document has a column of its own that tells its right tags: nothing of that helps with another.
    documents = 20
    rows = np.zeros((documents * 10, COLUMNS))
    right = np.tile(np.arange(10) < 5, documents)
    document = np.repeat(np.arange(documents), 10)
    rows[np.arange(len(rows)), document] = np.where(right, 3.0, -3.0)
    groups = np.ones(len(rows), dtype=np.int64)
    nothing = np.zeros(len(rows), dtype=bool)
    pairs = EvidencePairs(rows, groups, np.zeros(len(rows)), right, document, nothing)
    fitted, as_it_is = held_out_losses(pairs, prior(0.0))
    assert fitted == pytest.approx(as_it_is, abs=1e-6)
    found = moved_weights(pairs, prior(0.0), CONTENTS)[1]
    assert found[:documents].min() > 0.1, "a fit on all of them has learned it"


def test_one_document_alone_cannot_be_held_out() -> None:
    pairs = drawn_pairs(1, truth(neighbours=2.0), candidates=50)
    fitted, as_it_is = held_out_losses(pairs, prior(-2.0))
    assert np.array_equal(fitted, as_it_is), "nothing is gained, so the prior stays"


def test_pairs_of_a_document_carry_its_groups_offsets_and_answers() -> None:
    facts = HistoryFacts(contents=50, counts={"a": 30, "b": 2}, scored=frozenset({"a"}))
    voted = C2C2TEvidence(score=1.0, support=1, human_support=1, looked_at=2, raw=0.5)
    candidates = [
        Candidate(tag="a", score=0.0, evidence=(voted,)),
        Candidate(tag="b", score=0.0, evidence=()),
        Candidate(tag="new", score=0.0, evidence=(C2TEvidence(score=1.0),)),
    ]
    pairs = EvidencePairs.of(candidates, facts, 9, {"a", "new", "elsewhere"}, document=7)
    assert pairs.groups.tolist() == [2, 1, 0]
    assert pairs.right.tolist() == [True, False, True]
    assert pairs.document.tolist() == [7, 7, 7]
    assert pairs.offsets[2] < pairs.offsets[1] == pairs.offsets[0]
    assert pairs.rows[:, NEIGHBOURS].tolist() == [0.5, 0.0, 0.0]
    assert not pairs.withheld.any()
    chosen = pairs.at(np.array([False, True, True]))
    assert EvidencePairs.joined([chosen, pairs]).groups.tolist() == [1, 0, 2, 1, 0]
    assert EvidencePairs.of([], facts, 9, set()).rows.shape == (0, COLUMNS)
