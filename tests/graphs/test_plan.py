"""What is chosen explicitly beats the profile, which beats what was measured; the profile reaches the LLM."""

from collections.abc import Callable
from pathlib import Path

import pytest

from llm4tag.graphs.plan import QuestionPlan, question_plan
from llm4tag.prompts import profile_source
from llm4tag.schema.options import TagOptions
from llm4tag.schema.profile import StepChoices
from llm4tag.tools.recall_plan import RecallPlan
from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.small_store import MAIL, tag

PLAN = RecallPlan.first(8, 0.5)
TAGGED = 8


def chosen(options: TagOptions, profile: StepChoices, *, tuned: bool = False) -> QuestionPlan:
    return question_plan(options, profile, PLAN, TAGGED, tuned=tuned)


def test_options_beat_the_profile_which_beats_what_was_measured() -> None:
    profile = StepChoices(samples=5, examples=0, cascade=True)
    found = chosen(TagOptions(samples=0, passages=2, cascade=False), profile)
    assert (found.samples, found.examples, found.passages) == (0, 0, 2)
    assert found.cascade is False
    assert found.judge_top == PLAN.asked
    tuned, bare = (chosen(TagOptions(), StepChoices(), tuned=one) for one in (True, False))
    assert (tuned.samples, tuned.cascade) == (0, True)
    assert (tuned.examples, tuned.passages) == (0, 0), "nothing but the judge would read them"
    much = question_plan(TagOptions(), StepChoices(), RecallPlan.first(1000, 0.1), 1000, tuned=True)
    assert (much.examples, much.passages) == (3, 0), "with much history similar contents help that judge"
    assert {much.max_rounds, tuned.max_rounds} == {1}, "more are the caller's choice"
    assert much.judge_top < tuned.judge_top, "with history the LLM's answers move less"
    assert (tuned.judge_unseen, bare.judge_unseen) == (5, 0)
    assert chosen(TagOptions(judge_top=0), StepChoices(), tuned=True).judge_unseen == 0
    assert (bare.samples, bare.cascade) == (3, False)
    both = chosen(TagOptions(samples=2), StepChoices(), tuned=True)
    assert (both.samples, both.examples, both.passages) == (2, 3, 1)
    assert chosen(TagOptions(examples=2), StepChoices(samples=0), tuned=True).examples == 2


async def test_a_profile_of_ones_own_is_asked_with_and_hashed(
    options: Callable[..., TagOptions], fake: FakeOpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "letters.toml"
    body = profile_source("general").replace('"a content"', '"a letter"') + "[steps]\nsamples = 1\n"
    mine.write_text(body, "utf-8")
    plain = await tag(MAIL, options())
    monkeypatch.setenv("LLM4TAG_PROFILE", str(mine))
    by_environment = await tag(MAIL, options())
    assert by_environment.tags[0].signals.samples == 1
    assert "fit a letter." in fake.chat_requests[-1]["messages"][0]["content"]
    assert by_environment.origin.prompts["words"] != plain.origin.prompts["words"]
    explicit = await tag(MAIL, options(profile="general"))
    assert explicit.origin.prompts == plain.origin.prompts
