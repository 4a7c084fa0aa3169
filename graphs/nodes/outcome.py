"""Turn signals into confidences and decisions, widen the search while nothing is accepted, report."""

import time
from typing import Literal

from langgraph.runtime import Runtime

from calibration.agreement import agreement, off_vocabulary
from calibration.confidence import (
    UNCALIBRATED,
    WITH_HISTORY,
    WITHOUT_HISTORY,
    Scored,
    combine,
    recall_confidences,
)
from calibration.signals import gather
from graphs.context import TagOptions
from graphs.nodes.language import ask_one
from graphs.nodes.recall import Update, open_for, options_of, query_for
from graphs.state import TaggingState
from models.llm import Ask
from prompts import prompt_hashes, rewriting_messages
from schema import Decision, Origin, Path, Recipe, TagDecision, TagResult, Usage, Vocabulary

_NO_LLM = "no LLM was asked: the tags come from recall alone"


async def calibrate(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """Combine recall evidence, agreement and judgements into one confidence a candidate."""
    plan, candidates = state["plan"], state["candidates"]
    weights = WITHOUT_HISTORY if plan.recipe is Recipe.VOCABULARY else WITH_HISTORY
    if plan.recipe is Recipe.LEARNED:
        recall = {candidate.tag: candidate.score for candidate in candidates}
    else:
        recall = recall_confidences(candidates, {path: plan.weight(path) for path in plan.paths}, weights.scale)
    signals = gather(recall, agreement(state.get("samples", [])), state.get("judgements", {}))
    scored = combine(candidates, signals, weights)
    runtime.stream_writer({"stage": "calibrate", "scored": len(scored)})
    return {"scored": scored}


async def decide(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """Accept, put to review or reject each candidate; the best ``top`` stay in the result."""
    options, resources = await open_for(runtime)
    vocabulary = await resources.store.vocabulary()
    decisions = decisions_for(state["scored"], vocabulary, options)
    accepted = sum(decision.decision is Decision.ACCEPT for decision in decisions)
    runtime.stream_writer({"stage": "decide", "accepted": accepted, "round": state["plan"].round})
    return {"decisions": decisions}


def decisions_for(scored: list[Scored], vocabulary: Vocabulary, options: TagOptions) -> list[TagDecision]:
    """Return the decision on each candidate; a tag that has left the vocabulary meanwhile is never output."""
    return [
        TagDecision(
            id=item.tag,
            name=vocabulary[item.tag].name,
            confidence=item.confidence,
            decision=decision_at(item.confidence, options),
            calibration=UNCALIBRATED,
            signals=item.signals,
            evidence=item.evidence,
        )
        for item in scored
        if item.tag in vocabulary.assignable
    ][: options.top]


def cut_of(scored: list[Scored], vocabulary: Vocabulary, options: TagOptions) -> tuple[str, ...]:
    """Return the candidates that ``decisions_for`` leaves out of the result, best first."""
    return tuple(item.tag for item in scored if item.tag in vocabulary.assignable)[options.top :]


def decision_at(confidence: float, options: TagOptions) -> Decision:
    """Return what a confidence means under the thresholds."""
    if confidence >= options.accept_at:
        return Decision.ACCEPT
    return Decision.REVIEW if confidence >= options.reviewed_from else Decision.REJECT


def route_by_llm(state: TaggingState, runtime: Runtime[TagOptions]) -> Literal["retrieve_knowledge", "calibrate"]:
    """Ask the LLM where one is wanted, has not failed, and there is something to ask about."""
    wanted = options_of(runtime).use_llm and not state.get("llm_failure")
    return "retrieve_knowledge" if wanted and state["candidates"] else "calibrate"


def route_by_failure(state: TaggingState) -> Literal["judge", "calibrate"]:
    """Skip the judgements when the generator could not be reached."""
    return "calibrate" if state.get("llm_failure") else "judge"


def route_by_confidence(state: TaggingState, runtime: Runtime[TagOptions]) -> Literal["widen", "report"]:
    """Look wider while no tag is accepted and rounds are left."""
    accepted = any(decision.decision is Decision.ACCEPT for decision in state["decisions"])
    return "report" if accepted or state["plan"].round >= options_of(runtime).max_rounds else "widen"


async def widen(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """Plan a wider round; with an LLM at hand, search with the content in other words besides."""
    options, resources = await open_for(runtime)
    update: Update = {"plan": state["plan"].wider()}
    if options.use_llm and not state.get("llm_failure") and "prompt" in state:
        question = Ask(messages=rewriting_messages(state["prompt"]), max_tokens=60)
        answer, usage, failure = await ask_one(resources, question)
        update |= {"spent": usage, "llm_failure": failure}
        if answer is not None and answer.text.strip():
            text = f"{state['content'].full_text}\n{answer.text.strip()}"
            update["query"] = await query_for(resources.store, text)
    runtime.stream_writer({"stage": "widen", "round": state["plan"].round + 1})
    return update


async def report(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """Write the result line."""
    options, resources = await open_for(runtime)
    vocabulary = await resources.store.vocabulary()
    usage, failure = state.get("spent") or Usage(), state.get("llm_failure")
    fitted = await resources.fitted()
    notes = [*state.get("remarks", []), *(resources.llm.notes if resources.llm else (_NO_LLM,))]
    result = TagResult(
        id=state["content"].id,
        tags=tuple(state["decisions"]),
        cut=cut_of(state["scored"], vocabulary, options),
        off_vocabulary=off_vocabulary(state.get("samples", [])),
        degraded=failure.words if failure else None,
        degraded_for_good=failure is not None and failure.for_good,
        rounds=state["plan"].round,
        usage=usage.model_copy(update={"seconds": round(time.time() - state["started"], 4)}),
        origin=Origin(
            vocabulary=vocabulary.version,
            embedding=resources.store.embedding,
            model=resources.llm.identity if resources.llm else None,
            recipe=state["plan"].recipe,
            fit=fitted.fit if fitted and Path.LINEAR in state["plan"].paths else None,
            prompts=prompt_hashes() if resources.llm else {},
        ),
        notes=tuple(notes),
    )
    runtime.stream_writer({"stage": "report", "tags": len(result.tags)})
    # The result leaves them empty, while the state's are the input.
    return result.model_dump(mode="json", exclude={"text", "title"})
