"""Events: what a stage streams to someone who watches a run, as custom events of LangGraph's stream.

Each stage sends those fields of ``schema.TagDecision`` that it knows of a tag; a reader merges them by id. All
events are empty unless ``TagOptions.watched``, so that nobody else pays for names and texts. (The stream mode
``tasks`` would need none of this, but sends the whole state with every node.)
"""

from collections.abc import Mapping, Sequence
from typing import Any

from llm4tag.calibration.agreement import agreement
from llm4tag.calibration.confidence import ScoredCandidate
from llm4tag.calibration.signals import gather, recall_of
from llm4tag.graphs.decide import note_on
from llm4tag.graphs.runtime import TaggingRuntime
from llm4tag.graphs.state import TaggingState, Verdict, append, update
from llm4tag.prompts import PromptContext
from llm4tag.schema import Candidate, Signals, T2TEvidence, TagDecision, neighbours_in
from llm4tag.schema.options import TagOptions

Event = dict[str, Any]

_TEXT = 400
"""Characters of a content or a passage: enough to recognise it."""


async def recall_event(runtime: TaggingRuntime, candidates: Sequence[Candidate]) -> Event:
    """Return the best candidates with their evidence, and the texts and names that the evidence refers to."""
    if not runtime.options.watched:
        return {}
    vocabulary = await runtime.store.vocabulary()
    evidence = [item for one in candidates for item in one.evidence]
    linked = {link.tag for item in evidence if isinstance(item, T2TEvidence) for link in item.links}
    texts = await runtime.store.get_contents(neighbours_in(evidence))
    return {
        "tags": [
            {
                "id": one.tag,
                "name": vocabulary[one.tag].name,
                "signals": Signals(recall=one.recall).model_dump(mode="json"),
                "evidence": [item.model_dump(mode="json") for item in one.evidence],
            }
            for one in candidates
            if one.tag in vocabulary.assignable
        ][: runtime.options.top],
        "texts": {one.id: one.full_text[:_TEXT] for one in texts},
        "names": {tag: found.name for tag in sorted(linked) if (found := vocabulary.get(tag))},
    }


def knowledge_event(options: TagOptions, prompt: PromptContext) -> Event:
    """Return the similar contents and passages that the LLM is shown."""
    if not options.watched:
        return {}
    return {
        "shown": {
            "examples": [
                {"text": one.text[:_TEXT], "tags": one.tags, "wrong": one.wrong} for one in prompt.examples
            ],
            "passages": [{"id": one.id, "title": one.title, "text": one.text[:_TEXT]} for one in prompt.passages],
        }
    }


def answers_event(options: TagOptions, state: TaggingState, new: Mapping[str, Any]) -> Event:
    """Return the signals of the tags that the LLM was asked about, and its failure where it failed.

    Args:
        options: of the run.
        state: as the node found it.
        new: the node's update.
    """
    if not options.watched:
        return {}
    signals = gather(
        recall_of(state["candidates"]),
        agreement(append(state.get("samples"), new.get("samples", []))),
        update(state.get("judgements"), new.get("judgements", {})),
        update(state.get("ratings"), new.get("ratings", {})),
    )
    failure = new.get("llm_failure")
    return {
        "tags": [
            {"id": tag, "signals": one.model_dump(mode="json")} for tag, one in signals.items() if one.of_llm
        ],
        **({"failure": failure.words} if failure else {}),
    }


def confidences_event(options: TagOptions, scored: Sequence[ScoredCandidate], verdict: Verdict) -> Event:
    """Return the confidences, best first, each with whether it is calibrated or estimated."""
    if not options.watched:
        return {}
    return {
        "tags": [
            {
                "id": item.tag,
                "confidence": item.confidence,
                "calibration": note_on(item, verdict).model_dump(mode="json"),
            }
            for item in scored[: options.top]
        ]
    }


def decisions_event(options: TagOptions, decisions: Sequence[TagDecision]) -> Event:
    """Return the decision on each tag; one that a rule on parents made is there whole, as it may be a new tag."""
    if not options.watched:
        return {}
    return {
        "tags": [
            one.model_dump(mode="json")
            if one.reason
            else {"id": one.id, "decision": one.decision.value, "reason": ""}
            for one in decisions
        ]
    }
