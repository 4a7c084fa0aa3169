"""The plan of a recall round, by what the store holds and the caller switches off."""

import pytest

from llm4tag.schema import Path
from llm4tag.tools.recall_plan import ALL_PATHS, MOST_PARTS, RecallPlan


def test_the_less_history_the_more_candidates_the_llm_is_asked_about() -> None:
    none, some, much = (RecallPlan.first(contents, 0.1) for contents in (0, 20, 100_000))
    assert (none.asked, some.asked, much.asked) == (20, 15, 10)
    assert {(one.round, one.rounds) for one in (none, some, much)} == {(1, 1)}


def test_the_parts_of_a_content_are_searched_while_many_tags_are_new() -> None:
    assert RecallPlan.first(0, 1.0).parts == MOST_PARTS
    assert RecallPlan.first(500, 0.2).parts == 16
    assert RecallPlan.first(500, 0.05).parts == 4
    assert RecallPlan.first(500, 0.04).parts == 0, "so few are not worth an embedding each"


@pytest.mark.parametrize("path", list(Path))
def test_a_path_that_is_switched_off_is_not_followed_in_any_round(path: Path) -> None:
    plan = RecallPlan.first(1000, 0.1, ALL_PATHS - {path})
    for one in (plan, plan.wider()):
        assert not one.follows(path)
    others = ALL_PATHS - {path}
    assert {one for one in Path if plan.wider().follows(one)} == others
    assert {one for one in Path if plan.follows(one)} == others - {Path.T2T}, "it starts from candidates"


def test_the_next_round_looks_deeper_and_otherwise() -> None:
    plan = RecallPlan.first(1000, 0.01)
    wider = plan.wider()
    assert wider.round == 2
    assert wider.neighbours > plan.neighbours
    assert wider.depth > plan.depth
    assert wider.content_alpha != plan.content_alpha
    assert (plan.parts, wider.parts) == (0, MOST_PARTS)
    assert not plan.follows(Path.T2T)
    assert wider.follows(Path.T2T)
    assert wider.wider().content_alpha == plan.content_alpha
