"""Fusion: the evidence of all paths makes one list of candidates, best first by their probability."""

from collections.abc import Mapping, Sequence, Set

from llm4tag.calibration.evidence_fusion import EvidenceFusion
from llm4tag.calibration.history_facts import HistoryFacts
from llm4tag.schema import Candidate, Evidence, Path

PathEvidence = Mapping[str, Evidence]
"""The evidence that one path found, by tag id."""


def relative(scores: Mapping[str, float]) -> dict[str, float]:
    """Scale scores to [0, 1] as Weaviate does: (s - min) / (max - min), 1 where all are equal."""
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    if high == low:
        return dict.fromkeys(scores, 1.0)
    return {key: (score - low) / (high - low) for key, score in scores.items()}


def gathered(found: Mapping[Path, PathEvidence]) -> list[Candidate]:
    """Return one candidate for each tag, with the evidence of all paths, by tag id; none has a score yet."""
    tags = sorted({tag for evidence in found.values() for tag in evidence})
    return [
        Candidate(tag=tag, score=0.0, evidence=tuple(found[path][tag] for path in found if tag in found[path]))
        for tag in tags
    ]


def by_probability(
    candidates: Sequence[Candidate], fusion: EvidenceFusion, facts: HistoryFacts, words: int
) -> list[Candidate]:
    """Score candidates of one content by the fusion, best first; equal ones stay in their order.

    Args:
        candidates: of one content.
        fusion: weighs their evidence.
        facts: of the store.
        words: the number of words of the content.
    """
    probabilities = fusion.probabilities(candidates, facts, words)
    scored = [
        candidate.model_copy(update={"score": probability, "recall": probability})
        for candidate, probability in zip(candidates, probabilities, strict=True)
    ]
    return sorted(scored, key=lambda candidate: -candidate.score)


def best_by_words(candidates: Sequence[Candidate], known: Set[str]) -> list[str]:
    """Return the tags that history lacks, by how well their own words fit the content.

    The fusion thinks little of them, as history had the chance to give them. Among themselves words order them
    well.

    Args:
        candidates: of one content.
        known: the tags that history has; empty where it has none: no tag is unseen then.
    """
    words = {
        one.tag: evidence.score
        for one in candidates
        if known and one.tag not in known and (evidence := one.path(Path.C2T)) is not None
    }
    return list(strongest(words, len(words)))


def strongest(found: Mapping[str, float], cap: int) -> dict[str, float]:
    """Return the ``cap`` highest scores, ties broken by tag id."""
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:cap])
