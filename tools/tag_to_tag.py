"""T2T: tags that go with the candidates found so far. Our extension: the paper has no such path."""

from collections.abc import Mapping

from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.schema import T2TEvidence, TagLink
from llm4tag.tools.candidate_fusion import relative, strongest
from llm4tag.tools.recall_plan import RecallPlan

_SEEDS = 10
_LINKS = 10
_PARENT_WEIGHT = 0.3
"""Weight of a link to a parent or child, where co-occurrence has its conditional probability."""


async def recall_by_tags(
    store: KnowledgeStore, seeds: Mapping[str, float], plan: RecallPlan, allowed: frozenset[str]
) -> dict[str, T2TEvidence]:
    """Find tags by co-occurrence with the best candidates, and their parents and children.

    Args:
        store: where tags and history are.
        seeds: scores of the candidates so far, by tag id; the ten best are followed.
        plan: cap.
        allowed: the tags that may be found.

    Returns:
        Tags, seeds included, by the sum over seeds of seed score · P(tag | seed) (human assignments), plus
        a fixed weight for parents and children.

    Raises:
        StoreError: the store failed.
    """
    vocabulary = await store.vocabulary()
    best = {tag: score for tag, score in strongest(seeds, _SEEDS).items() if score > 0}
    together = await store.cooccurring(list(best), _LINKS)
    counts = await store.tag_counts()
    links: dict[str, list[TagLink]] = {}

    def link(tag: str, entry: TagLink) -> None:
        if tag in allowed and tag != entry.tag:
            links.setdefault(tag, []).append(entry)

    for seed, score in best.items():
        for tag, count in together.get(seed, ()):
            probability = count / max(1, counts[seed].human)
            link(tag, TagLink(tag=seed, kind="cooccurrence", weight=score * probability))
        for parent in vocabulary[seed].parents:
            link(parent, TagLink(tag=seed, kind="child", weight=score * _PARENT_WEIGHT))
        for child in vocabulary.children.get(seed, ()):
            link(child, TagLink(tag=seed, kind="parent", weight=score * _PARENT_WEIGHT))
    summed = {tag: sum(entry.weight for entry in entries) for tag, entries in links.items()}
    return {
        tag: T2TEvidence(
            score=score, round=plan.round, links=tuple(sorted(links[tag], key=lambda e: -e.weight)[:5])
        )
        for tag, score in relative(strongest(summed, plan.cap)).items()
    }
