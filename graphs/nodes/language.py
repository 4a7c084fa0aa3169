"""Ask the LLM: which candidates fit, whether each one fits, and what else to search for.

A model that fails degrades the result to what recall knows; only one that is not on this machine ends the run.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from langgraph.runtime import Runtime

from calibration.agreement import Sample, generation_question, read_sample, shuffled
from calibration.judgement import judgement_question, read_judgement, read_tuned, tuned_question
from calibration.labels import labels_for
from graphs.context import TagOptions
from graphs.nodes.recall import Update, open_for
from graphs.resources import Resources
from graphs.state import LLMFailure, TaggingState
from models.llm import Answer, Ask, LanguageModel
from schema import ModelError, ModelNotFoundError, ModelSetupError, Usage

NO_LOGPROBS = "the model gives no log-probabilities: candidates were not judged one by one"


async def generate(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """Ask several times which candidates fit, each time in another order; later rounds ask of new ones alone."""
    options, resources = await open_for(runtime)
    vocabulary = await resources.store.vocabulary()
    asked = {tag for sample in state.get("samples", []) for tag in sample.asked}
    top = _best(state, options.generate_top)
    tags = [tag for tag in top if tag not in asked]
    if not tags:
        return {}
    labels = labels_for(tags, vocabulary)
    text = state["content"].full_text
    # The same order twice is the same question, and its answer would agree with itself.
    orders = dict.fromkeys(tuple(shuffled(tags, text, number)) for number in range(options.samples))
    lists = [{tag: labels[tag] for tag in order} for order in orders]
    questions = [generation_question(state["prompt"], list(shown.values())) for shown in lists]
    answers, usage, failure = await _ask_all(_llm(resources), questions)
    samples = [read_sample(answer, shown, vocabulary) for answer, shown in zip(answers, lists, strict=False)]
    runtime.stream_writer({"stage": "generate", "samples": len(samples), "round": state["plan"].round})
    return {"samples": samples, "spent": usage, "llm_failure": failure or _all_failed(samples)}


async def judge(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """Ask of each of the best candidates whether it fits, unless an earlier round did."""
    options, resources = await open_for(runtime)
    vocabulary = await resources.store.vocabulary()
    known = state.get("judgements", {})
    top = _best(state, options.judge_top)
    tags = [tag for tag in top if tag not in known]
    if not tags or NO_LOGPROBS in state.get("remarks", []):
        return {}
    labels = labels_for(top, vocabulary)
    adapter = _llm(resources).adapter
    if adapter is None:
        questions = [judgement_question(state["prompt"], labels[tag]) for tag in tags]
    else:
        questions = [tuned_question(state["prompt"], vocabulary[tag], adapter) for tag in tags]
    # The first alone: it fills the prefix cache for the others, and shows whether there are log-probabilities.
    answers, usage, failure = await _ask_all(_llm(resources), questions[:1])
    if answers and answers[0].first_token is None:
        return {"spent": usage, "remarks": [NO_LOGPROBS]}
    if not failure:
        more, used, failure = await _ask_all(_llm(resources), questions[1:])
        answers, usage = [*answers, *more], usage + used
    read = read_judgement if adapter is None else partial(read_tuned, words=adapter.card.answer)
    judgements = {tag: read(answer) for tag, answer in zip(tags, answers, strict=False)}
    runtime.stream_writer({"stage": "judge", "judged": len(judgements), "round": state["plan"].round})
    return {"judgements": judgements, "spent": usage, "llm_failure": failure}


def _best(state: TaggingState, wanted: int | None) -> list[str]:
    """Return the tags to ask about: as many as the caller wants, else as the plan says."""
    count = state["plan"].asked if wanted is None else wanted
    return [candidate.tag for candidate in state["candidates"][:count]]


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
