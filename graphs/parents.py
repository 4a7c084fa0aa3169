"""Decisions on a tag and its parents, made consistent with how a house tags."""

from collections.abc import Iterator, Sequence

from llm4tag.schema import Decision, T2TEvidence, TagDecision, TagLink, Vocabulary
from llm4tag.schema.options import ParentsRule


def consistent(
    decisions: Sequence[TagDecision], vocabulary: Vocabulary, rule: ParentsRule, allowed: frozenset[str]
) -> list[TagDecision]:
    """Return the decisions on one content where parents follow a rule, best first.

    Args:
        decisions: on its candidates, best first.
        vocabulary: with the parents of each tag.
        rule: what becomes of the parents of accepted tags.
        allowed: the tags that may be output.
    """
    if rule is ParentsRule.AS_LABELLED:
        return list(decisions)
    children = _accepted_children(decisions, vocabulary)
    if rule is ParentsRule.ONLY_LEAVES:
        return [_without_parent(one, children.get(one.id), vocabulary) for one in decisions]
    known = {one.id for one in decisions}
    present = [_with_child(one, children.get(one.id)) for one in decisions]
    added = [
        _added(tag, child, vocabulary) for tag, child in children.items() if tag in allowed and tag not in known
    ]
    return sorted([*present, *added], key=lambda one: -one.confidence)


def ancestors_of(tag: str, vocabulary: Vocabulary) -> Iterator[str]:
    """Yield the parents of a tag, theirs, and so on, each once; cycles are tolerated."""
    found = {tag}
    ahead = [tag]
    while ahead:
        here = ahead.pop()
        # A parent may be a name alone, which the vocabulary lacks.
        parents = vocabulary[here].parents if here in vocabulary else ()
        for parent in parents:
            if parent not in found:
                found.add(parent)
                ahead.append(parent)
                yield parent


def _accepted_children(decisions: Sequence[TagDecision], vocabulary: Vocabulary) -> dict[str, TagDecision]:
    """Return for each ancestor of an accepted tag the surest accepted tag below it."""
    found: dict[str, TagDecision] = {}
    for one in decisions:
        if one.decision is Decision.ACCEPT:
            for above in ancestors_of(one.id, vocabulary):
                if above not in found or found[above].confidence < one.confidence:
                    found[above] = one
    return found


def _without_parent(one: TagDecision, child: TagDecision | None, vocabulary: Vocabulary) -> TagDecision:
    # In a cycle each is below the other: neither is the leaf, and both stay.
    if child is None or one.decision is Decision.REJECT or child.id in ancestors_of(one.id, vocabulary):
        return one
    return one.model_copy(update={"decision": Decision.REJECT, "reason": _reason(child)})


def _with_child(one: TagDecision, child: TagDecision | None) -> TagDecision:
    if child is None:
        return one
    surer = one.confidence < child.confidence
    update: dict[str, object] = {"decision": Decision.ACCEPT}
    if one.decision is not Decision.ACCEPT:
        update["reason"] = _reason(child)
    if surer:
        update |= {"confidence": child.confidence, "calibration": child.calibration}
    return one.model_copy(update=update)


def _added(tag: str, child: TagDecision, vocabulary: Vocabulary) -> TagDecision:
    link = TagLink(tag=child.id, kind="child", weight=1.0)
    return TagDecision(
        id=tag,
        name=vocabulary[tag].name,
        confidence=child.confidence,
        decision=Decision.ACCEPT,
        calibration=child.calibration,
        evidence=(T2TEvidence(score=1.0, links=(link,)),),
        reason=_reason(child),
    )


def _reason(child: TagDecision) -> str:
    return f"{child.name} is accepted, which is below it"
