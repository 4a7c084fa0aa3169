"""Turn signals into confidences and decisions, widen the search while nothing is accepted, report."""

import time

from langgraph.runtime import Runtime

from llm4tag.calibration.agreement import agreement, off_vocabulary
from llm4tag.graphs.context import TagOptions
from llm4tag.graphs.nodes.language import ask_one
from llm4tag.graphs.nodes.recall import Update, open_for, query_for
from llm4tag.graphs.planning import planned_in
from llm4tag.graphs.scoring import cut_of, decisions_for, weigh
from llm4tag.graphs.standing import standing_of
from llm4tag.graphs.state import TaggingState
from llm4tag.graphs.telling import tell_confidences, tell_decisions
from llm4tag.models.language_model import Ask
from llm4tag.prompts import rewriting_messages
from llm4tag.schema import Decision, Origin, Path, TagResult, Usage

_NO_LLM = "no LLM was asked: the tags come from recall alone"


async def calibrate(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """Combine all signals of each candidate into one confidence: the store's calibrator's, where it holds."""
    options, resources = await open_for(runtime)
    standing = await standing_of(options, resources, planned_in(state))
    scored, verdict = weigh(state, options, standing, agreement(state.get("samples", [])), tuned=resources.tuned)
    counts = {"scored": len(scored), "status": verdict.note.status}
    runtime.stream_writer({"stage": "calibrate", **counts, **tell_confidences(options, scored, verdict)})
    return {"scored": scored, "verdict": verdict}


async def decide(state: TaggingState, runtime: Runtime[TagOptions]) -> Update:
    """Accept, put to review or reject each candidate; the best ``top`` stay in the result."""
    options, resources = await open_for(runtime)
    vocabulary = await resources.store.vocabulary()
    decisions = decisions_for(state["scored"], vocabulary, options, state["verdict"])
    accepted = sum(decision.decision is Decision.ACCEPT for decision in decisions)
    counts = {"accepted": accepted, "round": state["plan"].round}
    runtime.stream_writer({"stage": "decide", **counts, **tell_decisions(options, decisions)})
    return {"decisions": decisions}


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
