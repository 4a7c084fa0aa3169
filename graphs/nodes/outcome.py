"""Turn signals into confidences and decisions, widen the search while nothing is accepted, report."""

import time
from typing import Literal

from langgraph.runtime import Runtime

from calibration.agreement import agreement, off_vocabulary
from calibration.confidence import (
    WITH_HISTORY,
    WITHOUT_HISTORY,
    Scored,
    calibrate_all,
    combine,
    recall_confidences,
)
from calibration.signals import gather
from graphs.context import TagOptions
from graphs.nodes.language import ask_one
from graphs.nodes.recall import Update, open_for, options_of, query_for
from graphs.standing import standing_of
from graphs.state import TaggingState, Verdict
from models.llm import Ask
from prompts import rewriting_messages
from schema import CalibrationNote, Decision, Origin, Path, Recipe, TagDecision, TagResult, Usage, Vocabulary

_TOO_DEEP = CalibrationNote(reason="it lies below the candidates that the calibrator was fitted on")
_NO_LLM = "no LLM was asked: the tags come from recall alone"


async def calibrate(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """Combine all signals of each candidate into one confidence: the store's calibrator's, where it holds."""
    options, resources = await open_for(runtime)
    plan, candidates = state["plan"], state["candidates"]
    weights = WITHOUT_HISTORY if plan.recipe is Recipe.VOCABULARY else WITH_HISTORY
    if plan.recipe is Recipe.LEARNED:
        recall = {candidate.tag: candidate.score for candidate in candidates}
    else:
        recall = recall_confidences(candidates, {path: plan.weight(path) for path in plan.paths}, weights.scale)
    signals = gather(recall, agreement(state.get("samples", [])), state.get("judgements", {}))
    scored = combine(candidates, signals, weights, tuned=options.settings().tuned)
    standing = (await standing_of(options, resources, plan)).on(scored, bool(state.get("llm_failure")))
    if standing.calibrator is not None:
        scored = calibrate_all(scored, standing.calibrator)
    verdict = standing.verdict(options.target_error)
    runtime.stream_writer({"stage": "calibrate", "scored": len(scored), "status": verdict.note.status})
    return {"scored": scored, "verdict": verdict}


async def decide(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """Accept, put to review or reject each candidate; the best ``top`` stay in the result."""
    options, resources = await open_for(runtime)
    vocabulary = await resources.store.vocabulary()
    decisions = decisions_for(state["scored"], vocabulary, options, state["verdict"])
    accepted = sum(decision.decision is Decision.ACCEPT for decision in decisions)
    runtime.stream_writer({"stage": "decide", "accepted": accepted, "round": state["plan"].round})
    return {"decisions": decisions}


def decisions_for(
    scored: list[Scored], vocabulary: Vocabulary, options: TagOptions, verdict: Verdict
) -> list[TagDecision]:
    """Return the decision on each candidate; a tag that has left the vocabulary meanwhile is never output."""
    return [
        TagDecision(
            id=item.tag,
            name=vocabulary[item.tag].name,
            confidence=item.confidence,
            decision=decision_on(item, options, verdict),
            calibration=verdict.note if item.calibrated or verdict.note.status == "uncalibrated" else _TOO_DEEP,
            signals=item.signals,
            evidence=item.evidence,
        )
        for item in scored
        if item.tag in vocabulary.assignable
    ][: options.top]


def cut_of(scored: list[Scored], vocabulary: Vocabulary, options: TagOptions) -> tuple[str, ...]:
    """Return the candidates that ``decisions_for`` leaves out of the result, best first."""
    return tuple(item.tag for item in scored if item.tag in vocabulary.assignable)[options.top :]


def decision_on(item: Scored, options: TagOptions, verdict: Verdict) -> Decision:
    """Return what a confidence means: by the target of error where one is set, else by the thresholds."""
    if options.target_error is None:
        accepted = item.confidence >= options.accept_at
    else:
        accepted = item.calibrated and verdict.accept_at is not None and item.confidence >= verdict.accept_at
    if accepted:
        return Decision.ACCEPT
    return Decision.REVIEW if item.confidence >= options.reviewed_from else Decision.REJECT


def route_by_llm(state: TaggingState, runtime: Runtime[TagOptions]) -> Literal["retrieve_knowledge", "calibrate"]:
    """Ask the LLM where one is wanted, has not failed, and there is something to ask about."""
    wanted = options_of(runtime).use_llm and not state.get("llm_failure")
    return "retrieve_knowledge" if wanted and state["candidates"] else "calibrate"


def route_by_failure(state: TaggingState) -> Literal["judge", "calibrate"]:
    """Skip the judgements when the generator could not be reached."""
    return "calibrate" if state.get("llm_failure") else "judge"


def route_by_confidence(state: TaggingState, runtime: Runtime[TagOptions]) -> Literal["widen", "report"]:
    """Look wider while no candidate is confident enough and rounds are left; see ``TagOptions.widen_below``."""
    options = options_of(runtime)
    enough = any(item.raw >= options.widen_below for item in state["scored"])
    return "report" if enough or state["plan"].round >= options.max_rounds else "widen"


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
    if state["verdict"].refusal:
        notes.append(state["verdict"].refusal)
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
            adapter=resources.llm.adapter.sha256 if resources.llm and resources.llm.adapter else None,
            recipe=state["plan"].recipe,
            fit=fitted.fit if fitted and Path.LINEAR in state["plan"].paths else None,
            prompts=resources.prompts(),
        ),
        notes=tuple(notes),
    )
    runtime.stream_writer({"stage": "report", "tags": len(result.tags)})
    # The result leaves them empty, while the state's are the input.
    return result.model_dump(mode="json", exclude={"text", "title"})
