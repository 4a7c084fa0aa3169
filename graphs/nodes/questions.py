"""Nodes that ask the LLM: whether each candidate fits, how probable each is, which of them fit.

A model that fails degrades the result to what recall knows; only a model that is not on this machine ends the run.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from langgraph.runtime import Runtime

from llm4tag.calibration.agreement import agreement, is_settled
from llm4tag.graphs.context import TagContext, runtime_of
from llm4tag.graphs.decide import CalibratorChoice, calibrator_for, decision_on, score_candidates
from llm4tag.graphs.events import answers_event
from llm4tag.graphs.open_questions import judgeable_tags, tags_to_judge, tags_to_sample
from llm4tag.graphs.runtime import TaggingRuntime
from llm4tag.graphs.state import LLMFailure, TaggingState, Update
from llm4tag.models.language_model import Answer, LanguageModel, Question
from llm4tag.prompts.generate import generation_question, read_sample, shuffled
from llm4tag.prompts.judge import judge_question, read_judgement, read_tuned_judgement, tuned_judge_question
from llm4tag.prompts.rate import rating_question, read_ratings
from llm4tag.prompts.tag_labels import labels_for
from llm4tag.schema import Decision, ModelError, ModelNotFoundError, ModelSetupError, Usage, Vocabulary
from llm4tag.schema.llm_answers import Sample

_NO_LOGPROBS = "the model gives no log-probabilities: candidates were not judged one by one"


async def judge(state: TaggingState, runtime: Runtime[TagContext]) -> Update:
    """Ask of each of the best candidates whether it fits, unless an earlier round did."""
    tagging = await runtime_of(runtime)
    llm, tags = _llm(tagging), tags_to_judge(state)
    questions = _judge_questions(state, tags, llm, await tagging.store.vocabulary())
    # The first alone: it fills the prefix cache for the others, and shows whether there are log-probabilities.
    answers, usage, failure = await _ask_all(llm, questions[:1])
    if answers and answers[0].first_token is None:
        return {"spent": usage, "no_logprobs": True, "remarks": [_NO_LOGPROBS]}
    if not failure:
        more, used, failure = await _ask_all(llm, questions[1:])
        answers, usage = [*answers, *more], usage + used
    read = partial(read_tuned_judgement, words=llm.adapter.card.answer) if llm.adapter else read_judgement
    judgements = {tag: read(answer) for tag, answer in zip(tags, answers, strict=False)}
    update: Update = {"judgements": judgements, "spent": usage, "llm_failure": failure}
    counts = {"judged": len(judgements), "round": state["plan"].recall.round}
    runtime.stream_writer({"stage": "judge", **counts, **answers_event(tagging.options, state, update)})
    return update


def _judge_questions(
    state: TaggingState, tags: Sequence[str], llm: LanguageModel, vocabulary: Vocabulary
) -> list[Question]:
    prompt = state["prompt"]
    if llm.adapter is None:
        labels = labels_for(judgeable_tags(state), vocabulary)
        return [judge_question(prompt, labels[tag]) for tag in tags]
    # Nobody could give similar contents a tag that did not exist yet, so they would mislead.
    alone, unseen = prompt.model_copy(update={"examples": ()}), state.get("unseen", [])
    return [tuned_judge_question(alone if tag in unseen else prompt, vocabulary[tag], llm.adapter) for tag in tags]


async def rate(state: TaggingState, runtime: Runtime[TagContext]) -> Update:
    """Ask in one question for the probability of each of the best candidates, in words."""
    tagging = await runtime_of(runtime)
    tags = tags_to_judge(state)
    labels = labels_for(judgeable_tags(state), await tagging.store.vocabulary())
    # Shuffled, so that recall's order gives the model no hint.
    shown = {tag: labels[tag] for tag in shuffled(tags, state["content"].full_text, 0)}
    answer, usage, failure = await ask_one(tagging, rating_question(state["prompt"], list(shown.values())))
    update: Update = {"spent": usage, "llm_failure": failure}
    if answer is not None:
        ratings = read_ratings(answer, shown)
        remarks = [f"no probability in words: {ratings.failure}"] if ratings.failure else []
        update |= {"ratings": ratings.probabilities, "remarks": remarks}
    counts = {"rated": len(update.get("ratings", {})), "round": state["plan"].recall.round}
    runtime.stream_writer({"stage": "rate", **counts, **answers_event(tagging.options, state, update)})
    return update


async def generate(state: TaggingState, runtime: Runtime[TagContext]) -> Update:
    """Ask several times which candidates fit, each time in another order; later rounds ask about new ones."""
    tagging = await runtime_of(runtime)
    vocabulary, questions = await tagging.store.vocabulary(), state["plan"].questions
    tags = tags_to_sample(state)
    labels = labels_for(tags, vocabulary)
    text = state["content"].full_text
    # The same order twice is the same question, and its answer would agree with itself.
    orders = dict.fromkeys(tuple(shuffled(tags, text, number)) for number in range(questions.samples))
    lists = [{tag: labels[tag] for tag in order} for order in orders]
    choice = await calibrator_for(tagging, state["plan"]) if questions.adaptive else None
    samples: list[Sample] = []
    usage = Usage()
    failure: LLMFailure | None = None
    for batch in [[one] for one in lists] if choice else [lists]:
        asked = [generation_question(state["prompt"], list(shown.values())) for shown in batch]
        answers, used, failure = await _ask_all(_llm(tagging), asked)
        samples += [read_sample(answer, shown, vocabulary) for answer, shown in zip(answers, batch, strict=False)]
        usage += used
        if failure is not None:
            break
        left = len(lists) - len(samples)
        if choice is not None:
            settled: bool = await asyncio.to_thread(_is_settled, state, tagging, choice, samples, tags, left)
            if settled:
                break
    update: Update = {"samples": samples, "spent": usage, "llm_failure": failure or _all_failed(samples)}
    counts = {"samples": len(samples), "round": state["plan"].recall.round}
    runtime.stream_writer({"stage": "generate", **counts, **answers_event(tagging.options, state, update)})
    return update


def _is_settled(
    state: TaggingState,
    tagging: TaggingRuntime,
    choice: CalibratorChoice,
    samples: Sequence[Sample],
    tags: Sequence[str],
    left: int,
) -> bool:
    """Say whether the samples to come can change neither a decision nor whether another round starts."""
    earlier = agreement(state.get("samples", []))

    def decide(shares: Mapping[str, tuple[float, int]]) -> dict[str, tuple[Decision, bool]]:
        scored, verdict = score_candidates(state, tagging, choice, {**earlier, **shares})
        return {
            item.tag: (decision_on(item, tagging, verdict), item.raw >= tagging.options.widen_below)
            for item in scored
        }

    return is_settled(samples, tags, left, decide)


async def ask_one(tagging: TaggingRuntime, question: Question) -> tuple[Answer | None, Usage, LLMFailure | None]:
    """Ask one question; the answer is None where the model failed."""
    answers, usage, failure = await _ask_all(_llm(tagging), [question])
    return (answers[0] if answers else None), usage, failure


def _llm(tagging: TaggingRuntime) -> LanguageModel:
    assert tagging.llm is not None, "routers lead here only where an LLM is wanted"
    return tagging.llm


def _all_failed(samples: Sequence[Sample]) -> LLMFailure | None:
    failures = [sample.failure for sample in samples]
    return LLMFailure(words=failures[0]) if failures and all(failures) else None


async def _ask_all(
    llm: LanguageModel, questions: Sequence[Question]
) -> tuple[list[Answer], Usage, LLMFailure | None]:
    """Ask all at the same time; return the answers up to the first failure, their usage, and the failure."""
    outcomes = await asyncio.gather(*(llm.ask(question) for question in questions), return_exceptions=True)
    answers: list[Answer] = []
    usage = Usage()
    failure: LLMFailure | None = None
    for outcome in outcomes:
        if isinstance(outcome, ModelError) and not isinstance(outcome, ModelNotFoundError):
            failure = failure or LLMFailure(words=str(outcome), for_good=isinstance(outcome, ModelSetupError))
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            usage = usage + outcome.usage
            if failure is None:
                answers.append(outcome)
    return answers, usage, failure
