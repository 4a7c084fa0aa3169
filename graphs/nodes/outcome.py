"""Nodes of the outcome: confidences, decisions, a wider round while nothing is sure, the result line."""

import time

from langgraph.runtime import Runtime

from llm4tag.calibration.agreement import agreement
from llm4tag.graphs.context import TagContext, runtime_of
from llm4tag.graphs.decide import calibrator_for, cut_off, decisions_on, score_candidates
from llm4tag.graphs.events import confidences_event, decisions_event
from llm4tag.graphs.nodes.questions import ask_one
from llm4tag.graphs.runtime import TaggingRuntime
from llm4tag.graphs.state import TaggingState, Update
from llm4tag.prompts.generate import off_vocabulary
from llm4tag.prompts.rewrite import read_rewrite, rewrite_question
from llm4tag.schema import Decision, Origin, TagResult, Usage
from llm4tag.tools.recall import queries_for

_NO_LLM = "no LLM was asked: the tags come from recall alone"


async def calibrate(state: TaggingState, runtime: Runtime[TagContext]) -> Update:
    """Combine all signals of each candidate into one confidence: the store's calibrator's, where one holds."""
    tagging = await runtime_of(runtime)
    choice = await calibrator_for(tagging, state["plan"])
    scored, verdict = score_candidates(state, tagging, choice, agreement(state.get("samples", [])))
    counts = {"scored": len(scored), "status": verdict.note.status}
    event = confidences_event(tagging.options, scored, verdict)
    runtime.stream_writer({"stage": "calibrate", **counts, **event})
    return {"scored": scored, "verdict": verdict}


async def decide(state: TaggingState, runtime: Runtime[TagContext]) -> Update:
    """Accept, put to review or reject each candidate; the best ``top`` of them make the result."""
    tagging = await runtime_of(runtime)
    vocabulary = await tagging.store.vocabulary()
    decisions = decisions_on(state["scored"], vocabulary, tagging, state["verdict"])
    accepted = sum(one.decision is Decision.ACCEPT for one in decisions)
    counts = {"accepted": accepted, "round": state["plan"].recall.round}
    runtime.stream_writer({"stage": "decide", **counts, **decisions_event(tagging.options, decisions)})
    return {"decisions": decisions}


async def widen(state: TaggingState, runtime: Runtime[TagContext]) -> Update:
    """Plan a wider round; with an LLM, search with the content in other words as well."""
    tagging = await runtime_of(runtime)
    plan, content = state["plan"].wider(), state["content"]
    update: Update = {"plan": plan}
    if tagging.options.use_llm and not state.get("llm_failure") and "prompt" in state:
        answer, usage, failure = await ask_one(tagging, rewrite_question(state["prompt"]))
        update |= {"spent": usage, "llm_failure": failure}
        if answer is not None and (words := read_rewrite(answer)):
            text = f"{content.full_text}\n{words}"
            (update["query"],) = await queries_for(tagging.reader, [text], [content.id])
    runtime.stream_writer({"stage": "widen", "round": plan.recall.round})
    return update


async def report(state: TaggingState, runtime: Runtime[TagContext]) -> Update:
    """Write the result line."""
    tagging = await runtime_of(runtime)
    vocabulary = await tagging.store.vocabulary()
    usage, failure, verdict = state.get("spent") or Usage(), state.get("llm_failure"), state["verdict"]
    notes = [*state.get("remarks", []), *(tagging.llm.limitations if tagging.llm else (_NO_LLM,))]
    if verdict.refusal:
        notes.append(verdict.refusal)
    result = TagResult(
        id=state["content"].id,
        tags=tuple(state["decisions"]),
        cut=cut_off(state["scored"], vocabulary, state["decisions"]),
        off_vocabulary=off_vocabulary(state.get("samples", [])),
        degraded=failure.words if failure else None,
        degraded_for_good=failure is not None and failure.for_good,
        rounds=state["plan"].recall.round,
        usage=usage.model_copy(update={"seconds": round(time.time() - state["started"], 4)}),
        origin=await _origin(state, tagging, vocabulary.version),
        notes=tuple(notes),
    )
    runtime.stream_writer({"stage": "report", "tags": len(result.tags)})
    # The result has no text and title, while the state's are the input.
    return result.model_dump(mode="json", exclude={"text", "title"})


async def _origin(state: TaggingState, tagging: TaggingRuntime, vocabulary: str) -> Origin:
    plan, llm = state["plan"].recall, tagging.llm
    fit = await tagging.reader.recall_fit()
    return Origin(
        vocabulary=vocabulary,
        embedding=tagging.store.embedding,
        model=llm.identity if llm else None,
        adapter=llm.adapter.sha256 if llm and llm.adapter else None,
        prior=(await tagging.reader.fusion(plan.paths)).prior.id,
        fit=fit.id if fit else None,
        fitted_on=fit.linear.fitted.tagged_contents if fit else None,
        prompts=tagging.prompts(),
    )
