"""Fusion: the evidence of all paths makes one list of candidates, by fixed weights or by a fitted fusion."""

from collections.abc import Mapping, Sequence, Set

from llm4tag.calibration.confidence import recall_probabilities, weights_for
from llm4tag.calibration.evidence_fusion import EvidenceFusion
from llm4tag.calibration.evidence_rows import TagHistory
from llm4tag.schema import Candidate, Evidence, Path, Recipe
from llm4tag.tools.recall_plan import RecallPlan

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


def fuse(found: Mapping[Path, PathEvidence], plan: RecallPlan) -> list[Candidate]:
    """Return one candidate for each tag, best first by the weighted mean of its relative scores over the paths.

    A path that found nothing takes no part in the mean; a tag that a path missed gets 0 from it. A path of weight
    0 makes candidates of score 0: tags that only a model gave, where people have tagged nothing.
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
    found: Mapping[Path, PathEvidence], plan: RecallPlan, fusion: EvidenceFusion, history: TagHistory
) -> list[Candidate]:
    """Return one candidate for each tag, best first by a fitted fusion, then by relative scores."""
    return by_probability(fuse(found, plan), fusion, history)


def by_probability(
    candidates: Sequence[Candidate], fusion: EvidenceFusion, history: TagHistory
) -> list[Candidate]:
    """Score candidates by a fitted fusion, best first; equal ones stay in their order."""
    probabilities = fusion.probabilities(candidates, history)
    scored = [
        candidate.model_copy(update={"score": probability})
        for candidate, probability in zip(candidates, probabilities, strict=True)
    ]
    return sorted(scored, key=lambda candidate: -candidate.score)


def with_recall(candidates: Sequence[Candidate], plan: RecallPlan) -> list[Candidate]:
    """Return the candidates of one content with their probabilities by recall.

    It is the fitted fusion's probability with the learned recipe, else what fixed weights make of the evidence.
    """
    if plan.recipe is Recipe.LEARNED:
        found = {candidate.tag: candidate.score for candidate in candidates}
    else:
        weights = {path: plan.weight(path) for path in plan.paths}
        found = recall_probabilities(candidates, weights, weights_for(plan.recipe).scale)
    return [candidate.model_copy(update={"recall": found[candidate.tag]}) for candidate in candidates]


def best_by_words(candidates: Sequence[Candidate], seen: Set[str]) -> list[str]:
    """Return the unseen tags of one content, by how well their own words fit it.

    The fusion has no measure for them: it learned how little words say next to what it knows of other tags. Among
    themselves words order them well.

    Args:
        candidates: of one content.
        seen: the tags that recall was fitted on; empty where the linear scorer has no part: no tag is unseen then.
    """
    words = {
        one.tag: evidence.score
        for one in candidates
        if seen and one.tag not in seen and (evidence := one.path(Path.C2T)) is not None
    }
    return list(strongest(words, len(words)))


def strongest(found: Mapping[str, float], cap: int) -> dict[str, float]:
    """Return the ``cap`` highest scores, ties broken by tag id."""
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:cap])
