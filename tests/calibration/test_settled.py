"""Stopping early never changes a decision: held against all that the remaining samples could say."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm4tag.calibration.agreement import Shares, agreement, ends, is_settled
from llm4tag.calibration.confidence import SignalWeights, combine, uncertain
from llm4tag.calibration.signals import gather
from llm4tag.schema import Candidate
from llm4tag.schema.llm_answers import Sample

TAGS = ("a", "b", "c")
CANDIDATES = [Candidate(tag=tag, score=0.5, evidence=()) for tag in TAGS]
ANY = [tuple(tag for tag, named in zip(TAGS, bits, strict=True) if named) for bits in product((0, 1), repeat=3)]


def sample(named: tuple[str, ...], failure: str = "") -> Sample:
    return Sample(asked=TAGS, named=named, failure=failure)


def test_ends_are_what_the_remaining_samples_can_make_of_it() -> None:
    assert ends(0.5, 2, 2) == ((0.25, 4), (0.75, 4))
    assert ends(1.0, 3, 0) == ((1.0, 3), (1.0, 3))


@given(
    recall=st.tuples(*[st.floats(0.05, 0.95)] * 3),
    weight=st.floats(0, 3),
    drawn=st.lists(st.sampled_from(ANY), min_size=1, max_size=2),
)
def test_settled_means_that_no_answer_changes_a_decision(
    recall: tuple[float, ...], weight: float, drawn: list[tuple[str, ...]]
) -> None:
    weights = SignalWeights(judgement=0.0, agreement=weight)

    def decide(shares: Shares) -> dict[str, bool]:
        scored = combine(CANDIDATES, gather(dict(zip(TAGS, recall, strict=True)), shares, {}), weights)
        return {item.tag: item.confidence >= 0.5 for item in scored}

    so_far = [sample(named) for named in drawn]
    if is_settled(so_far, TAGS, 2, decide):
        now = decide(agreement(so_far))
        for more in product(ANY, repeat=2):
            assert decide(agreement([*so_far, *(sample(named) for named in more)])) == now


@pytest.mark.parametrize(("threshold", "expected"), [(0.1, False), (0.3, True), (0.5, False), (0.7, True)])
def test_it_is_settled_outside_the_ends_and_not_between_them(threshold: float, expected: bool) -> None:
    def decide(shares: Shares) -> dict[str, bool]:
        return {tag: share >= threshold for tag, (share, _) in shares.items()}

    # With one more, "a" has .4 to .6 and the others 0 to .2.
    four = [sample(("a",)), sample(()), sample(("a",)), sample(())]
    assert is_settled(four, TAGS, 1, decide) == expected


def test_nothing_is_settled_before_an_answer_can_be_read() -> None:
    assert not is_settled([sample((), failure="garbage")], TAGS, 2, lambda shares: dict.fromkeys(TAGS, True))
    assert is_settled([sample((), failure="garbage")], TAGS, 0, lambda shares: dict.fromkeys(TAGS, True))


def test_the_cascade_keeps_what_recall_is_unsure_of() -> None:
    recall = {"a": 0.95, "b": 0.9, "c": 0.15, "d": 0.05, "e": 0.01}
    assert uncertain(recall, recall) == ["b", "c", "d"]
    assert uncertain(["e", "d", "a", "b"], recall) == ["d", "b"], "in the order in which they are given"
    assert uncertain([], recall) == []
