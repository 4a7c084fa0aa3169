"""Weigh the evidence of all paths into one list of candidates.

Relative-score sums are safe; reciprocal rank fusion with a weak list is not (measured: nDCG@10 .64 against .79).
"""

from collections.abc import Mapping, Sequence, Set

from llm4tag.calibration.evidence_fusion import EvidenceFusion
from llm4tag.calibration.features import Backing
from llm4tag.schema import Candidate, Evidence, Path
from llm4tag.tools.plan import RecallPlan

Found = Mapping[str, Evidence]
"""What one path found: evidence by tag id."""


def relative(scores: Mapping[str, float]) -> dict[str, float]:
    """Scale scores to [0, 1] as Weaviate does: (s - min) / (max - min), 1 where all are equal."""
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    if high == low:
        return dict.fromkeys(scores, 1.0)
    return {key: (score - low) / (high - low) for key, score in scores.items()}


def fuse(found: Mapping[Path, Found], plan: RecallPlan) -> list[Candidate]:
    """Return one candidate a tag, best first: the weighted mean of its relative scores over the paths that ran.

    A path that found nothing at all takes no part in the mean; a tag that a path missed gets 0 from it. A path of
    weight 0 makes candidates of score 0: tags that only a model gave, where people have tagged nothing.
    """
    ran = {path: evidence for path, evidence in found.items() if evidence and plan.weight(path) > 0}
    total = sum(plan.weight(path) for path in ran)
    scores = {tag: 0.0 for evidence in found.values() for tag in evidence}
    for path, by_tag in ran.items():
        for tag, evidence in by_tag.items():
            scores[tag] += plan.weight(path) * evidence.score / total
    return [
        Candidate(
            tag=tag,
            score=min(1.0, score),
            evidence=tuple(found[path][tag] for path in found if tag in found[path]),
        )
        for tag, score in sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    ]


def fuse_by_probability(
    found: Mapping[Path, Found], plan: RecallPlan, fusion: EvidenceFusion, backing: Backing
) -> list[Candidate]:
    """Return one candidate a tag, best first, by a fitted fusion; ties keep the order of the relative scores."""
    return by_probability(fuse(found, plan), fusion, backing)


def by_probability(candidates: Sequence[Candidate], fusion: EvidenceFusion, backing: Backing) -> list[Candidate]:
    """Score candidates by a fitted fusion, best first; ties keep their order."""
    probabilities = fusion.probabilities(candidates, backing)
    scored = [
        candidate.model_copy(update={"score": probability})
        for candidate, probability in zip(candidates, probabilities, strict=True)
    ]
    return sorted(scored, key=lambda candidate: -candidate.score)


def best_by_words(candidates: Sequence[Candidate], fitted: Set[str]) -> list[str]:
    """Return the tags that came after a fit, by how well their own words fit the content.

    The fusion has no measure of them: it learned how little words say beside what it knows of other tags. Among
    themselves words order them well: docs/recall.md.

    Args:
        candidates: of one content.
        fitted: the tags that the fit knows; empty where it is not in use, and no tag is new to it then.
    """
    words = {
        one.tag: evidence.score
        for one in candidates
        if fitted and one.tag not in fitted and (evidence := one.path(Path.C2T)) is not None
    }
    return list(strongest(words, len(words)))


def strongest(found: Mapping[str, float], cap: int) -> dict[str, float]:
    """Return the ``cap`` highest scores, ties broken by tag id."""
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:cap])
