"""Ask the LLM: whether each candidate fits, which of them fit, and what else to search for.

A model that fails degrades the result to what recall knows; only one that is not on this machine ends the run.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from langgraph.runtime import Runtime

from llm4tag.calibration.adaptive import settled
from llm4tag.calibration.agreement import Sample, agreement, generation_question, read_sample, shuffled
from llm4tag.calibration.confidence import Scored
from llm4tag.calibration.judgement import judgement_question, read_judgement, read_tuned, tuned_question
from llm4tag.calibration.labels import labels_for
from llm4tag.calibration.listwise import listwise_question, read_ratings
from llm4tag.graphs.asking import NO_LOGPROBS, judged, to_judge, to_sample
from llm4tag.graphs.context import TagOptions
from llm4tag.graphs.nodes.recall import Update, open_for
from llm4tag.graphs.planning import planned_in
from llm4tag.graphs.resources import Resources
from llm4tag.graphs.scoring import decision_on, weigh
from llm4tag.graphs.standing import standing_of
from llm4tag.graphs.state import LLMFailure, TaggingState, Verdict
from llm4tag.graphs.telling import tell_answers
from llm4tag.models.language_model import Answer, Ask, LanguageModel
from llm4tag.schema import Decision, ModelError, ModelNotFoundError, ModelSetupError, Usage


async def judge(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """Ask of each of the best candidates whether it fits, unless an earlier round did."""
    options, resources = await open_for(runtime)
    vocabulary = await resources.store.vocabulary()
    tags = to_judge(state)
    adapter = _llm(resources).adapter
    if adapter is None:
        labels = labels_for(judged(state), vocabulary)
        questions = [judgement_question(state["prompt"], labels[tag]) for tag in tags]
    else:
        # Nobody could give similar contents a tag that was not there yet: they would mislead (docs/recall.md).
        alone, unseen = state["prompt"].model_copy(update={"examples": ()}), state.get("unseen", [])
        questions = [
            tuned_question(alone if tag in unseen else state["prompt"], vocabulary[tag], adapter) for tag in tags
        ]
    # The first alone: it fills the prefix cache for the others, and shows whether there are log-probabilities.
    answers, usage, failure = await _ask_all(_llm(resources), questions[:1])
    if answers and answers[0].first_token is None:
        return {"spent": usage, "remarks": [NO_LOGPROBS]}
    if not failure:
        more, used, failure = await _ask_all(_llm(resources), questions[1:])
        answers, usage = [*answers, *more], usage + used
    read = read_judgement if adapter is None else partial(read_tuned, words=adapter.card.answer)
    judgements = {tag: read(answer) for tag, answer in zip(tags, answers, strict=False)}
    new: Update = {"judgements": judgements, "spent": usage, "llm_failure": failure}
    counts = {"judged": len(judgements), "round": state["plan"].round}
    runtime.stream_writer({"stage": "judge", **counts, **tell_answers(options, state, new)})
    return new


async def rate(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """Ask in one question for the probability of each of the best candidates, in words."""
    options, resources = await open_for(runtime)
    tags = to_judge(state)
    labels = labels_for(judged(state), await resources.store.vocabulary())
    # Shuffled, so that recall's order tells the model nothing.
    shown = {tag: labels[tag] for tag in shuffled(tags, state["content"].full_text, 0)}
    answer, usage, failure = await ask_one(resources, listwise_question(state["prompt"], list(shown.values())))
    new: Update = {"spent": usage, "llm_failure": failure}
    if answer is not None:
        ratings = read_ratings(answer, shown)
        remarks = [f"no probability in words: {ratings.failure}"] if ratings.failure else []
        new |= {"ratings": ratings.probabilities, "remarks": remarks}
    counts = {"rated": len(new.get("ratings", {})), "round": state["plan"].round}
    runtime.stream_writer({"stage": "rate", **counts, **tell_answers(options, state, new)})
    return new


async def generate(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """Ask several times which candidates fit, each time in another order; later rounds ask of new ones alone."""
    options, resources = await open_for(runtime)
    vocabulary = await resources.store.vocabulary()
    tags = to_sample(state)
    labels = labels_for(tags, vocabulary)
    text = state["content"].full_text
    # The same order twice is the same question, and its answer would agree with itself.
    orders = dict.fromkeys(tuple(shuffled(tags, text, number)) for number in range(state["steps"].samples))
    lists = [{tag: labels[tag] for tag in order} for order in orders]
    standing = await standing_of(options, resources, planned_in(state)) if state["steps"].adaptive else None
    samples: list[Sample] = []
    usage = Usage()
    failure: LLMFailure | None = None
    for batch in [[one] for one in lists] if standing else [lists]:
        questions = [generation_question(state["prompt"], list(shown.values())) for shown in batch]
        answers, used, failure = await _ask_all(_llm(resources), questions)
        samples += [read_sample(answer, shown, vocabulary) for answer, shown in zip(answers, batch, strict=False)]
        usage += used
        if failure is not None:
            break
        left = len(lists) - len(samples)
        if standing is not None:
            weighed = partial(weigh, state, options, standing, tuned=resources.tuned)
            done: bool = await asyncio.to_thread(_settled, state, options, weighed, samples, tags, left)
            if done:
                break
    new: Update = {"samples": samples, "spent": usage, "llm_failure": failure or _all_failed(samples)}
    counts = {"samples": len(samples), "round": state["plan"].round}
    runtime.stream_writer({"stage": "generate", **counts, **tell_answers(options, state, new)})
    return new


def _settled(
    state: TaggingState,
    options: TagOptions,
    weighed: Callable[[Mapping[str, tuple[float, int]]], tuple[list[Scored], Verdict]],
    samples: Sequence[Sample],
    tags: Sequence[str],
    left: int,
) -> bool:
    """Say whether samples to come can change neither a decision nor whether another round starts."""
    earlier = agreement(state.get("samples", []))

    def decide(shares: Mapping[str, tuple[float, int]]) -> dict[str, tuple[Decision, bool]]:
        scored, verdict = weighed({**earlier, **shares})
        return {
            item.tag: (decision_on(item, options, verdict), item.raw >= options.widen_below) for item in scored
        }

    return settled(samples, tags, left, decide)


async def ask_one(resources: Resources, question: Ask) -> tuple[Answer | None, Usage, LLMFailure | None]:
    """Ask one question; the answer is None where the model failed."""
    answers, usage, failure = await _ask_all(_llm(resources), [question])
    return (answers[0] if answers else None), usage, failure


def _llm(resources: Resources) -> LanguageModel:
    assert resources.llm is not None, "routers lead here only when an LLM is wanted"
    return resources.llm


def _all_failed(samples: Sequence[Sample]) -> LLMFailure | None:
    failures = [sample.failure for sample in samples]
    return LLMFailure(words=failures[0]) if failures and all(failures) else None


async def _ask_all(llm: LanguageModel, questions: Sequence[Ask]) -> tuple[list[Answer], Usage, LLMFailure | None]:
    """Ask all at once; return the answers up to the first failure, what they cost, and the failure."""
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
