"""Which questions the LLM is asked: steps off, probabilities in words, the cascade, adaptive samples."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from llm4tag.graphs.context import shared_runtime
from llm4tag.graphs.decide import CalibratorChoice, conditions_of
from llm4tag.graphs.plan import plan_of
from llm4tag.schema import TagResult
from llm4tag.schema.options import TagOptions
from tests.fakes.calibrators import calibrator, scored
from tests.fakes.openai_server import FakeOpenAI, Reply
from tests.fakes.scripted_llm import asked_labels, judged_label, likes, rated_labels
from tests.fakes.small_store import MAIL, tag

Options = Callable[..., TagOptions]


def in_words(values: dict[str, Any], otherwise: Callable[[dict[str, Any]], Reply]) -> Callable[[Any], Reply]:
    """Return an answerer that gives these percentages of the labels that it is shown."""

    def answer(request: dict[str, Any]) -> Reply:
        labels = rated_labels(request)
        if not labels:
            return otherwise(request)
        return Reply(json.dumps({label: values[label] for label in labels if label in values}))

    return answer


def asked(fake: FakeOpenAI) -> tuple[int, int, int]:
    """Return the numbers of lists, judgements and questions for probabilities in words."""
    kinds = (asked_labels, judged_label, rated_labels)
    lists, judged, rated = (sum(bool(kind(one)) for one in fake.chat_requests) for kind in kinds)
    return lists, judged, rated


def confidences(result: TagResult) -> list[tuple[str, float]]:
    return [(one.id, one.confidence) for one in result.tags]


async def test_steps_can_be_switched_off_and_then_ask_nothing(options: Options, fake: FakeOpenAI) -> None:
    result = await tag(MAIL, options(samples=0, judge_top=2))
    assert asked(fake) == (0, 2, 0)
    assert {one.signals.agreement for one in result.tags} == {None}
    fake.chat_requests.clear()
    await tag(MAIL, options(samples=1, judge_top=0))
    assert asked(fake) == (1, 0, 0)
    fake.chat_requests.clear()
    nothing = await tag(MAIL, options(samples=0, judge_top=0, max_rounds=2, widen_below=1.0, rating=True))
    alone = await tag(MAIL, options(use_llm=False, max_rounds=2, widen_below=1.0))
    assert fake.chat_requests == []
    assert confidences(nothing) == confidences(alone)
    assert nothing.degraded is None


async def test_without_logprobs_one_question_asks_for_all_in_words(options: Options, fake: FakeOpenAI) -> None:
    plain = likes("Mail")
    fake.chat = in_words({"Mail": 90, "Client": 250, "Server": 5}, lambda request: Reply(plain(request).text))
    result = await tag(MAIL, options(samples=0))
    assert asked(fake) == (0, 1, 1), "one judgement is enough to know"
    assert any("log-probabilities" in note for note in result.notes)
    signals = {one.id: one.signals for one in result.tags}
    assert (signals["mail"].rating, signals["client"].rating, signals["server"].rating) == (0.9, None, 0.05)
    assert signals["mail"].p_yes is None
    recall = {one.id: one.confidence for one in (await tag(MAIL, options(use_llm=False))).tags}
    moved = {one.id: one.confidence for one in result.tags}
    assert moved["mail"] > recall["mail"]
    assert moved["server"] < recall["server"]
    fake.chat_requests.clear()
    await tag(MAIL, options(samples=0, rating=False, answer_cache=False))
    assert asked(fake) == (0, 1, 0)


async def test_probabilities_in_words_can_be_chosen(options: Options, fake: FakeOpenAI) -> None:
    fake.chat = in_words({"Mail": 90, "Client": 60}, likes("Mail"))
    chosen = await tag(MAIL, options(rating=True, samples=1, widen_below=1.0, max_rounds=2))
    assert asked(fake)[1] == 0
    shown = [label for request in fake.chat_requests for label in rated_labels(request)]
    assert len(shown) == len(set(shown)), "no candidate is asked about twice"
    assert chosen.tags[0].signals.rating == 0.9
    fake.chat = lambda request: Reply("I cannot say")
    silent = await tag(MAIL, options(rating=True, samples=0, answer_cache=False))
    assert silent.degraded is None
    assert any("no probability in words" in note for note in silent.notes)
    assert {one.signals.rating for one in silent.tags} == {None}


async def test_the_cascade_judges_what_recall_is_unsure_of(
    options: Options, fake: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    recall = {one.id: one.signals.recall or 0.0 for one in (await tag(MAIL, options(use_llm=False))).tags}
    *_, weak, _, strongest = sorted(recall.values())
    monkeypatch.setattr("llm4tag.calibration.confidence.UNCERTAIN_FROM", weak)
    monkeypatch.setattr("llm4tag.calibration.confidence.UNCERTAIN_TO", strongest - 1e-9)
    full = await tag(MAIL, options(answer_cache=False))
    lists = sorted(asked_labels(one) for one in fake.chat_requests)
    fake.chat_requests.clear()
    result = await tag(MAIL, options(cascade=True, answer_cache=False))
    assert [one for one in sorted(asked_labels(one) for one in fake.chat_requests) if one] == [
        one for one in lists if one
    ]
    judged = {one.id for one in result.tags if one.signals.p_yes is not None}
    before = {one.id for one in full.tags if one.signals.p_yes is not None}
    assert judged == {one for one in before if weak <= recall[one] < strongest}
    assert 0 < len(judged) < len(before)


async def test_the_cascade_asks_nothing_where_recall_is_sure(
    options: Options, fake: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm4tag.calibration.confidence.UNCERTAIN_FROM", 0.9999)
    result = await tag(MAIL, options(cascade=True))
    assert fake.chat_requests == []
    assert confidences(result) == confidences(await tag(MAIL, options(use_llm=False)))


async def test_samples_stop_when_no_further_one_can_change_a_decision(options: Options, fake: FakeOpenAI) -> None:
    whole = await tag(MAIL, options(samples=6))
    lists = [asked_labels(one) for one in fake.chat_requests if asked_labels(one)]
    fake.chat_requests.clear()
    early = await tag(MAIL, options(samples=6, adaptive=True, answer_cache=False))
    drawn = [asked_labels(one) for one in fake.chat_requests if asked_labels(one)]
    assert 1 <= len(drawn) < 6
    assert all(labels in lists for labels in drawn), "the same questions, fewer of them"
    assert early.tags[0].signals.samples == len(drawn)
    assert {one.id: one.decision for one in early.tags} == {one.id: one.decision for one in whole.tags}
    fake.chat_requests.clear()
    # A threshold that a candidate sits on: only the last sample decides.
    edge = early.tags[0].confidence
    await tag(MAIL, options(samples=6, adaptive=True, accept_at=edge, review_at=edge, answer_cache=False))
    assert asked(fake)[0] > len(drawn)


async def test_the_cascade_is_a_condition_of_a_calibrator_and_adaptive_sampling_is_none(options: Options) -> None:
    async def conditions(**chosen: Any) -> dict[str, str | None]:
        made = options(**chosen)
        runtime = await shared_runtime(made)
        return await conditions_of(runtime, await plan_of(runtime))

    plain = await conditions()
    assert await conditions(adaptive=True) == plain
    assert await conditions(samples=3) == plain, "the default by another name"
    for chosen in ({"cascade": True}, {"rating": True}, {"samples": 0}, {"profile": "news"}):
        assert await conditions(**chosen) != plain


def test_what_the_cascade_spared_is_no_missing_signal() -> None:
    choice = CalibratorChoice(calibrator(columns=("recall", "p_yes")))
    sure = [scored("a", 0.99)]
    assert choice.for_content(sure, llm_failed=False).calibrator is None
    assert choice.for_content(sure, llm_failed=False, cascade_skipped=True).calibrator is not None
    assert choice.for_content(sure, llm_failed=True, cascade_skipped=True).calibrator is None
