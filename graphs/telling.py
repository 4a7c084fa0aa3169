"""What someone who watches a run is told at each stage, beside the counts: custom events of the stream.

Each stage says of a tag those fields of ``schema.TagDecision`` that it knows; a reader merges them by id. All is
empty unless ``TagOptions.watched``, so that nobody else pays for names and texts. (The stream mode ``tasks`` would
need none of this, but sends the whole state with every node: 2.3 MB for a content of debtags, against 0.1 MB.)
"""

from collections.abc import Mapping, Sequence
from typing import Any

from llm4tag.calibration.agreement import agreement
from llm4tag.calibration.confidence import Scored
from llm4tag.calibration.signals import gather
from llm4tag.graphs.context import TagOptions
from llm4tag.graphs.recall_signal import recall_of
from llm4tag.graphs.resources import Resources
from llm4tag.graphs.scoring import note_on
from llm4tag.graphs.state import TaggingState, Verdict, append, update
from llm4tag.prompts import PromptContext
from llm4tag.schema import Candidate, Signals, T2TEvidence, TagDecision, neighbours_in
from llm4tag.tools.plan import RecallPlan

Told = dict[str, Any]

_TEXT = 400
"""Characters of a content or a passage: enough to recognise it."""


async def tell_recall(
    options: TagOptions, resources: Resources, plan: RecallPlan, candidates: Sequence[Candidate]
) -> Told:
    """Return the best candidates with their evidence, and the texts and names that the evidence refers to."""
    if not options.watched:
        return {}
    vocabulary = await resources.store.vocabulary()
    evidence = [item for one in candidates for item in one.evidence]
    linked = {link.tag for item in evidence if isinstance(item, T2TEvidence) for link in item.links}
    recall = recall_of(plan, candidates)
    return {
        "tags": [
            {
                "id": one.tag,
                "name": vocabulary[one.tag].name,
                "signals": Signals(recall=recall[one.tag]).model_dump(mode="json"),
                "evidence": [item.model_dump(mode="json") for item in one.evidence],
            }
            for one in candidates
            if one.tag in vocabulary.assignable
        ][: options.top],
        "texts": {
            one.id: one.full_text[:_TEXT] for one in await resources.store.get_contents(neighbours_in(evidence))
        },
        "names": {tag: found.name for tag in sorted(linked) if (found := vocabulary.get(tag))},
    }


def tell_knowledge(options: TagOptions, prompt: PromptContext) -> Told:
    """Return what the LLM is shown beside the content."""
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


def tell_answers(options: TagOptions, state: TaggingState, new: Mapping[str, Any]) -> Told:
    """Return the signals of the tags that the LLM has been asked about, and why it failed where it did.

    Args:
        options: of the run.
        state: as the node found it.
        new: the node's update.
    """
    if not options.watched:
        return {}
    signals = gather(
        recall_of(state["plan"], state["candidates"]),
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


def tell_confidences(options: TagOptions, scored: Sequence[Scored], verdict: Verdict) -> Told:
    """Return the confidences, best first, each with whether it is a measured probability."""
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


def tell_decisions(options: TagOptions, decisions: Sequence[TagDecision]) -> Told:
    """Return what was decided on each tag."""
    if not options.watched:
        return {}
    return {"tags": [{"id": one.id, "decision": one.decision.value} for one in decisions]}
