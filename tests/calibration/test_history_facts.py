"""What history says of its tags: how often they are given, how many are new, and what is left without some."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm4tag.calibration.history_facts import USUAL_TAGS, HistoryFacts
from llm4tag.schema import Tag
from llm4tag.schema.vocabulary import Vocabulary

CONTENTS = st.lists(st.lists(st.sampled_from("abcdef"), max_size=4, unique=True), max_size=12)


def facts(*contents: str, scored: str = "", parents: dict[str, tuple[str, ...]] | None = None) -> HistoryFacts:
    """Return the facts of contents with these tags, one letter each."""
    counts = {tag: sum(tag in tags for tags in contents) for tag in sorted({*"".join(contents)})}
    return HistoryFacts(len(contents), counts, frozenset(scored), parents or {})


def test_only_tags_that_can_be_assigned_count_and_parents_are_the_vocabularys() -> None:
    vocabulary = Vocabulary(
        [
            Tag(id="a", name="A", parents=("g",)),
            Tag(id="b", name="B", parents=("a", "g")),
            Tag(id="old", name="Old", retired=True),
            Tag(id="g", name="G", group=True),
        ]
    )
    found = HistoryFacts.of(vocabulary, 7, {"a": 3, "b": 0, "old": 5, "g": 2, "gone": 9}, frozenset("a"))
    assert (found.contents, dict(found.counts), set(found.scored)) == (7, {"a": 3}, {"a"})
    assert found.parents == {"a": ("g",), "b": ("a", "g")}


def test_groups_are_new_known_and_scored_tags() -> None:
    found = facts("ab", "a", scored="ac")
    assert found.groups(["c", "b", "a", "d"]).tolist() == [0, 1, 2, 0], "c is scored, but nobody has it any more"
    assert found.groups([]).shape == (0,)


def test_all_is_new_without_history_and_less_the_oftener_tags_are_given_again() -> None:
    assert HistoryFacts().novelty == 1.0
    assert facts("ab").novelty == 1.0, "each was given once"
    assert facts("ab", "ac").novelty == pytest.approx(3 / 5)
    assert facts("ab", "ab").novelty == pytest.approx(1 / 5)
    assert facts(*["ab"] * 500).novelty < 0.001


@given(CONTENTS)
def test_novelty_is_a_share(contents: list[list[str]]) -> None:
    assert 0 < facts(*map("".join, contents)).novelty <= 1


def test_the_number_of_tags_of_a_content_is_drawn_to_the_usual_where_history_is_small() -> None:
    assert HistoryFacts().tags_a_content == USUAL_TAGS
    assert facts("abcdef").tags_a_content == pytest.approx((6 + 2 * USUAL_TAGS) / 3)
    assert facts(*["abcdef"] * 1000).tags_a_content == pytest.approx(6.0, abs=0.01)


def test_tags_start_the_higher_the_more_tags_a_content_has_and_new_ones_the_lower_the_fewer_are_new() -> None:
    found = facts("ab", "ac", scored="a")
    known = np.log(found.tags_a_content)
    assert found.offsets(np.array([0, 1, 2])).tolist() == pytest.approx([known + np.log(0.6), known, known])
    assert facts("abcd", "abcd").offsets(np.array([1]))[0] > known
    nothing = HistoryFacts()
    assert nothing.offsets(np.array([0, 1])).tolist() == pytest.approx([np.log(USUAL_TAGS)] * 2)


def test_without_some_contents_it_is_as_if_they_were_never_tagged() -> None:
    found = facts("ab", "ac", "a", scored="a", parents={"a": ("g",)}).without(["ab", "a"])
    assert (found.contents, found.counts) == (1, {"a": 1, "c": 1})
    assert (found.assignments, found.once) == (2, 2), "counted afresh"
    assert (set(found.scored), dict(found.parents)) == ({"a"}, {"a": ("g",)})
    assert found.groups(["a", "b", "c"]).tolist() == [2, 0, 1]


@given(CONTENTS, st.integers(0, 12))
def test_the_facts_of_a_part_are_those_of_all_without_the_rest(contents: list[list[str]], left: int) -> None:
    made = ["".join(tags) for tags in contents]
    found, expected = facts(*made).without(made[left:]), facts(*made[:left])
    assert (found.contents, dict(found.counts)) == (expected.contents, dict(expected.counts))
    assert found.novelty == expected.novelty


def test_tags_that_history_does_not_have_are_no_loss() -> None:
    found = facts("a").without(["ax", "y"])
    assert (found.contents, found.counts) == (0, {})
