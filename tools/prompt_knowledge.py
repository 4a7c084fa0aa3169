"""Short-term knowledge for the prompt: similar tagged contents, and passages (paper section 3.2)."""

from collections.abc import Sequence

from llm4tag.knowledge_store.protocol import Collection, KnowledgeStore, SearchQuery
from llm4tag.models.embedder import Vector
from llm4tag.prompts import Example
from llm4tag.schema import C2C2TEvidence, Candidate, Passage, Path, Provenance

_TAGS_SHOWN = 8


async def similar_examples(
    store: KnowledgeStore, candidates: Sequence[Candidate], limit: int, negatives: int
) -> list[Example]:
    """Return the most similar human-tagged contents, each with candidates that look right for it and are not.

    The hard negatives are the best candidates of the content at hand that nobody gave to the similar one.

    Args:
        store: where history is.
        candidates: of the content at hand, with evidence of C2C2T.
        limit: the most examples.
        negatives: the most hard negatives of each example.

    Raises:
        StoreError: the store failed.
    """
    ids = _nearest(candidates, limit)
    if not ids:
        return []
    vocabulary = await store.vocabulary()
    assignments = await store.assignments_of(ids)
    examples = []
    for content in await store.get_contents(ids):
        given = [a.tag for a in assignments.get(content.id, ()) if a.provenance is Provenance.HUMAN]
        right = [tag for tag in given if tag in vocabulary.assignable]
        wrong = [c.tag for c in candidates if c.tag not in set(given)]
        if right:
            examples.append(
                Example(
                    text=content.full_text,
                    tags=tuple(vocabulary[tag].name for tag in right[:_TAGS_SHOWN]),
                    ids=tuple(sorted(right)),
                    wrong=tuple(vocabulary[tag].name for tag in wrong[:negatives]),
                )
            )
    return examples


def _nearest(candidates: Sequence[Candidate], limit: int) -> list[str]:
    similarity: dict[str, float] = {}
    for candidate in candidates:
        evidence = candidate.path(Path.C2C2T)
        if isinstance(evidence, C2C2TEvidence):
            for neighbour in evidence.neighbours:
                if neighbour.provenance is Provenance.HUMAN:
                    similarity[neighbour.id] = neighbour.similarity
    return sorted(similarity, key=lambda content: (-similarity[content], content))[:limit]


async def related_passages(store: KnowledgeStore, text: str, vector: Vector | None, limit: int) -> list[Passage]:
    """Return the passages nearest to a content by hybrid search, best first."""
    if limit == 0:
        return []
    hits = await store.search(Collection.PASSAGES, SearchQuery(text=text, vector=vector, limit=limit))
    return await store.get_passages([hit.id for hit in hits])
